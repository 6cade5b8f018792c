import type { Command } from "commander";
import { BerthError, InvalidInput } from "../../lib/errors.ts";
import { needConfig } from "../config.ts";
import { connect } from "../connect.ts";
import { createLogger } from "../log.ts";
import { parseLimit } from "../numbers.ts";
import { areUp, isUp, Supervisor } from "../supervisor.ts";
import { untilTold } from "../until-told.ts";

/** `berth serve`: a balancer and its instances on this host. */
export function addServe(program: Command): void {
  program
    .command("serve")
    .description("run the balancer and the instances of `instances.local` on this host, each a process")
    .option("-c, --config <file>", "configuration (default: berth.yaml)")
    .option("--instances <n>", "only the first n of the instances", parseLimit)
    .action(async (options: { config?: string; instances?: number }) => {
      const config = needConfig(options.config);
      const log = createLogger("serve", config.log.level);
      const local = config.instances.local.slice(0, options.instances);
      if (local.length === 0 || local.length < (options.instances ?? 1)) {
        throw new InvalidInput(
          `${config.path}: instances.local names ${local.length} instances; list the id and address of each to run`,
        );
      }
      const supervisor = new Supervisor();
      const client = connect({ config: config.path });
      try {
        supervisor.start("balancer", ["balancer", "--config", config.path]);
        await supervisor.until(() => isUp(client));
        for (const { id, address } of local) {
          supervisor.start(id, ["instance", "--config", config.path, "--id", id, "--listen", address]);
        }
        await supervisor.until(() => areUp(client, local.length));
        log.info({ zone: config.zone, instances: local.length }, "serving");
        const ended = await Promise.race([untilTold(log), supervisor.ended()]);
        if (ended !== undefined) throw new BerthError("process-ended", `${ended} ended; stopping the others`);
      } finally {
        client.close();
        await supervisor.stop();
      }
    });
}
