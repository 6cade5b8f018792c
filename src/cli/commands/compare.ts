import type { Command } from "commander";
import { type ConnectOptions, connect } from "../connect.ts";
import { connectOptions } from "../options.ts";
import { print, say } from "../terminal.ts";

/** A million names take their time, ms. */
const PATIENCE = 10 * 60_000;

/** `berth compare`: compares the registry with what should be in it. */
export function addCompare(program: Command): void {
  connectOptions(program.command("compare"))
    .description("compare all names in the registry with what should be there, and mend what differs")
    .option("--json", "print how the registry stands then as JSON")
    .action(async ({ json, ...options }: ConnectOptions & { json?: true }) => {
      const client = connect(options, "operator", PATIENCE);
      await client.call("compare", { body: undefined });
      const { publication } = await client.call("status", {});
      client.close();
      if (json) return print(JSON.stringify(publication));
      if (publication === null) return say("names are in the balancer's own nameserver alone; there is nothing to compare");
      const { registry, state, names, waiting, explanation } = publication;
      print(`${registry}: ${state}, ${names} names, ${waiting} changes wait${explanation === null ? "" : `; ${explanation}`}`);
    });
}
