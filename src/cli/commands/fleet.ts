import { type Command, Option } from "commander";
import { runFleet } from "../../device/index.ts";
import { BerthError } from "../../lib/errors.ts";
import { type DeviceSideOptions, deviceSide, deviceSideOptions, staticUriOf } from "../device-options.ts";
import { readFleet } from "../fleet-file.ts";
import { parseLimit, parseSpan } from "../numbers.ts";
import { ProgressBar, print, say, table } from "../terminal.ts";

interface FleetCommandOptions extends DeviceSideOptions {
  readonly devices?: number;
  readonly burst: number;
  readonly deadline: number;
  readonly json?: true;
}

/** Addresses shown to a person. */
const MAX_SERVERS = 20;

/** `berth fleet`: plays many devices. */
export function addFleet(program: Command): void {
  const command = program
    .command("fleet")
    .description("play a fleet of devices that all bootstrap")
    .argument("<file>", "CSV or NDJSON file of the devices, as for berth import")
    .option("--devices <n>", "only the first n", parseLimit)
    .addOption(new Option("--burst <time>", "all arrive within this time").argParser(parseSpan).default(1000, "1s"))
    .addOption(new Option("--deadline <time>", "those not done by then have failed").argParser(parseSpan).default(300_000, "5m"))
    .option("--json", "print the summary as one JSON object");
  deviceSideOptions(command).action(async (file: string, options: FleetCommandOptions) => {
    const side = deviceSide(options);
    const { recipe, resolvers, impairment, clockOffset, behaviour } = side;
    const uri = staticUriOf(side);
    const devices = await readFleet(file, options.devices);
    const bar = new ProgressBar("bootstrapping", devices.length);
    let [done, failed] = [0, 0];
    const run = runFleet(
      {
        ...behaviour,
        uri,
        clockOffset,
        devices,
        burst: options.burst,
        deadline: options.deadline,
        ...(recipe === undefined ? {} : { recipe }),
        ...(resolvers === undefined ? {} : { resolvers }),
        ...(impairment === undefined ? {} : { impairment }),
      },
      ({ ok }) => {
        if (!ok) failed++;
        bar.show(++done, `${done - failed} of ${devices.length}`);
      },
    );
    const summary = await run.done;
    bar.end();
    if (options.json) print(JSON.stringify(summary));
    else {
      // Where an instance has a prefix, each device has met another address.
      const servers = Object.entries(summary.servers);
      if (servers.length > 0) say(table(servers.slice(0, MAX_SERVERS).map(([server, count]) => ({ server, devices: count }))));
      if (servers.length > MAX_SERVERS) say(`and ${servers.length - MAX_SERVERS} more addresses`);
      print(
        `${summary.completed} of ${summary.devices} completed in ${(summary.elapsed / 1000).toFixed(1)} s; ` +
          `per device p50 ${Math.round(summary.p50)} ms, p99 ${Math.round(summary.p99)} ms, ${summary.attempts} attempts`,
      );
      for (const [cause, count] of Object.entries(summary.causes)) say(`failed attempts: ${count} ${cause}`);
    }
    // Devices still answer what instances repeat.
    await run.closed;
    if (summary.failed > 0) throw new BerthError("devices-failed", `${summary.failed} devices did not complete`);
  });
}
