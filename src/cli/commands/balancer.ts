import type { Command } from "commander";
import { BerthError } from "../../lib/errors.ts";
import { needConfig } from "../config.ts";
import { createLogger } from "../log.ts";
import { type RunningBalancer, runBalancer } from "../run-balancer.ts";
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
      const running = await unlessOrphaned((signal) => runBalancer(config, log, signal));
      let fenced = false;
      const lost = running.lost.then(() => {
        fenced = true;
        return "the lease is lost";
      });
      await untilTold(log, lost);
      await running.stop();
      // Standing by is what it would do next: whatever started it may start it again.
      if (fenced) throw new BerthError("fenced", "another balancer has taken the lease; this one has stopped");
    });
}

/** Starting may take for ever, as while another balancer leads: not when whatever started this process is gone. */
async function unlessOrphaned(start: (signal: AbortSignal) => Promise<RunningBalancer>): Promise<RunningBalancer> {
  const orphaned = new AbortController();
  const abort = (): void => orphaned.abort();
  process.on("disconnect", abort);
  try {
    return await start(orphaned.signal);
  } finally {
    process.removeListener("disconnect", abort);
  }
}
