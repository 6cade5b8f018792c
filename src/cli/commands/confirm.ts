import type { Command } from "commander";
import type { HeldChange } from "../../control/index.ts";
import { type ConnectOptions, connect } from "../connect.ts";
import { connectOptions } from "../options.ts";
import { print, say, table } from "../terminal.ts";

interface ConfirmOptions extends ConnectOptions {
  readonly list?: true;
  readonly json?: true;
}

/** `berth confirm`: lets go what the brake holds. */
export function addConfirm(program: Command): void {
  connectOptions(program.command("confirm"))
    .description("confirm what is held because it would take away or change too many live names at one stroke")
    .option("--list", "show what is held, and confirm nothing")
    .option("--json", "print it as JSON")
    .action(async ({ list, json, ...options }: ConfirmOptions) => {
      const client = connect(options);
      const held = list ? (await client.call("status", {})).held : (await client.call("confirm", { body: undefined })).confirmed;
      client.close();
      if (json) return print(JSON.stringify(held));
      if (held.length === 0) return say("nothing is held");
      print(table(held.map(row)));
      say(
        list ? "Nothing was confirmed." : "Confirmed. A source does it with its next answer; an import has to be started again.",
      );
    });
}

function row({ what, since, confirmed, explanation }: HeldChange): Record<string, string> {
  return { what, since: new Date(since).toISOString(), confirmed: confirmed ? "yes" : "no", explanation };
}
