import type { Command } from "commander";
import { needConfig } from "../config.ts";
import { createLogger } from "../log.ts";
import { runBalancer } from "../run-balancer.ts";
import { untilTold } from "../until-told.ts";

/** `berth balancer`: balancer, nameserver and control API in one process. */
export function addBalancer(program: Command): void {
  program
    .command("balancer")
    .description("run the balancer with its nameserver and control API")
    .option("-c, --config <file>", "configuration (default: berth.yaml)")
    .action(async (options: { config?: string }) => {
      const config = needConfig(options.config);
      const log = createLogger("balancer", config.log.level);
      const running = await runBalancer(config, log);
      await untilTold(log);
      await running.stop();
    });
}
