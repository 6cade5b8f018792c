import type { Command } from "commander";
import { type ConnectOptions, connect } from "../connect.ts";
import { connectOptions } from "../options.ts";
import { print } from "../terminal.ts";

/** `berth rotate`: regenerates names by hand. */
export function addRotate(program: Command): void {
  connectOptions(program.command("rotate"))
    .description("regenerate the names of all devices that have not commenced, and spread them afresh")
    .option("--reason <text>", "why, for the balancer's log", "by hand")
    .option("--json", "print what was done as JSON")
    .action(async (options: ConnectOptions & { reason: string; json?: true }) => {
      const client = connect(options);
      const reply = await client.call("rotate", { body: { reason: options.reason } });
      client.close();
      if (options.json) return print(JSON.stringify(reply));
      print(
        `${reply.pending} devices pending, ${reply.moved} moved${reply.counter === null ? "" : `, counter ${reply.counter}`}`,
      );
    });
}
