import type { Command } from "commander";

/** Adds the options of every command that talks to a balancer. */
export function connectOptions(command: Command): Command {
  return command
    .option("-c, --config <file>", "configuration that says where the balancer is (default: berth.yaml)")
    .option("--url <url>", "the balancer's control API (or BERTH_URL)")
    .option("--token-file <file>", "file with the operators' token (or BERTH_TOKEN)");
}
