import type { Command } from "commander";
import { type ConnectOptions, connect } from "../connect.ts";
import { connectOptions } from "../options.ts";
import { print, say } from "../terminal.ts";

/** `berth rotate`: regenerates names by hand. */
export function addRotate(program: Command): void {
  connectOptions(program.command("rotate"))
    .description("regenerate the names of all devices that have not commenced, and spread them afresh")
    .option("--reason <text>", "why, for the balancer's log and the audit log", "by hand")
    .option("--leak", "live names may be known to others; the audit log says so")
    .option("--json", "print what was done as JSON")
    .action(async (options: ConnectOptions & { reason: string; leak?: true; json?: true }) => {
      const client = connect(options);
      const trigger = options.leak ? "leak" : "operator";
      const reply = await client.call("rotate", { body: { reason: options.reason, trigger } });
      client.close();
      for (const warning of reply.warnings) say(`warning: ${warning}`);
      if (options.json) return print(JSON.stringify(reply));
      print(
        `${reply.pending} devices pending, ${reply.moved} moved${reply.stepped === null ? "" : `, ${reply.stepped} without their lowest name`}`,
      );
    });
}
