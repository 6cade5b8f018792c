import type { Command } from "commander";
import type { Milliseconds } from "../../lib/clock.ts";
import { InvalidInput } from "../../lib/errors.ts";
import { type ConnectOptions, connect } from "../connect.ts";
import { parseAge } from "../numbers.ts";
import { connectOptions } from "../options.ts";
import { print, say } from "../terminal.ts";

interface RearmCommandOptions extends ConnectOptions {
  readonly group?: string;
  readonly completedBefore?: Milliseconds;
  readonly all?: true;
  readonly reason: string;
  readonly json?: true;
}

/** `berth rearm`: lets completed devices bootstrap again. */
export function addRearm(program: Command): void {
  connectOptions(program.command("rearm"))
    .description("let completed devices bootstrap again: they are named at once")
    .argument("[endpoint...]", "endpoint client names")
    .option("--group <name>", "devices of this group")
    .option("--completed-before <age>", "devices that completed longer ago than this, such as 30d", parseAge)
    .option("--all", "all completed devices")
    .option("--reason <text>", "why, for the audit log", "by hand")
    .option("--json", "print what was done as JSON")
    .addHelpText(
      "after",
      `
Of endpoints, --group and --completed-before every one that is given has to be true of a device.
The exit code is 1 if an endpoint is not known; the others are re-armed.`,
    )
    .action(async (endpoints: string[], { group, completedBefore: age, all, reason, json, ...options }: RearmCommandOptions) => {
      if (endpoints.length === 0 && group === undefined && age === undefined && all === undefined) {
        throw new InvalidInput("rearm: nothing is selected; name endpoints, or give --group, --completed-before or --all");
      }
      const client = connect(options);
      const reply = await client.call("rearm", {
        body: {
          ...(endpoints.length === 0 ? {} : { endpoints }),
          ...(group === undefined ? {} : { group }),
          ...(age === undefined ? {} : { completedBefore: Date.now() - age }),
          ...(all === undefined ? {} : { all }),
          reason,
        },
      });
      client.close();
      for (const endpoint of reply.unknown) say(`no device ${endpoint}`);
      print(json ? JSON.stringify(reply) : `${reply.rearmed} devices re-armed`);
      if (reply.unknown.length > 0) process.exitCode = 1;
    });
}
