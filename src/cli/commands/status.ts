import type { Command } from "commander";
import type { FleetStatus, PublicationStatus } from "../../control/index.ts";
import { formatDuration } from "../../lib/duration.ts";
import { type ConnectOptions, connect } from "../connect.ts";
import { connectOptions } from "../options.ts";
import { print, say, table } from "../terminal.ts";

/** `berth status`: the fleet at a glance. */
export function addStatus(program: Command): void {
  connectOptions(program.command("status"))
    .description("show the fleet at a glance: devices, live names, and how far the servers of the zone are behind")
    .option("--json", "print it as JSON")
    .action(async ({ json, ...options }: ConnectOptions & { readonly json?: true }) => {
      const client = connect(options);
      const status = await client.call("status", {});
      client.close();
      if (json) return print(JSON.stringify(status));
      print(inWords(status));
      for (const { what, explanation } of status.held) say(`held: ${what}: ${explanation}; berth confirm lets it go`);
      for (const warning of status.warnings) say(`warning: ${warning}`);
    });
}

function inWords({ zone, devices, instances, epochs, collisions, publication }: FleetStatus): string {
  const names = epochs.reduce((sum, epoch) => sum + epoch.names, 0);
  const until = epochs.map(({ end }) => end).filter((end) => end !== null);
  const [soonest] = until.sort((a, b) => a - b);
  const lines = [
    `zone      ${zone}`,
    `devices   ${devices.pending} pending, ${devices.commenced} in progress, ${devices.completed} completed`,
    `instances ${instances} serving`,
    `names     ${names} of ${epochs.length} ${epochs.length === 1 ? "epoch" : "epochs"}` +
      (soonest === undefined ? "" : `, the first of which ends at ${new Date(soonest).toISOString()}`) +
      (collisions === 0 ? "" : `; ${collisions} shared by several devices`),
  ];
  return [...lines, ...(publication === null ? ["registry  embedded"] : published(publication))].join("\n");
}

function published({ registry, state, names, waiting, lastLag, servers, explanation }: PublicationStatus): string[] {
  const lag = lastLag === null ? "" : `; the last change took ${formatDuration(Math.round(lastLag))} to the last server`;
  const rows = servers.map((server) => ({
    server: server.server,
    serial: server.serial ?? "",
    "behind ms": Math.round(server.lag),
    problem: server.problem ?? "",
  }));
  return [
    `registry  ${registry}: ${state}, ${names} names, ${waiting} changes waiting${lag}`,
    ...(explanation === null ? [] : [`          ${explanation}`]),
    ...(rows.length === 0 ? [] : ["", table(rows)]),
  ];
}
