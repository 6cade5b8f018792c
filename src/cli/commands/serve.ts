import type { Command } from "commander";
import { BerthError, InvalidInput } from "../../lib/errors.ts";
import { needConfig } from "../config.ts";
import { connect } from "../connect.ts";
import { readDtls } from "../dtls-files.ts";
import { createLogger } from "../log.ts";
import { parseLimit } from "../numbers.ts";
import { openSecurityStores } from "../security-stores.ts";
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
      // What is wrong with these is said once, not by every instance.
      const certificates = readDtls(config.dtls).x509 !== undefined;
      for (const store of openSecurityStores(config.securityStores).values()) store.close();
      const supervisor = new Supervisor();
      const readAgain = (): void => {
        for (const { id } of local) supervisor.signal(id, "SIGHUP");
      };
      const client = connect({ config: config.path });
      try {
        supervisor.start("balancer", ["balancer", "--config", config.path]);
        await supervisor.until(() => isUp(client));
        // Where each listens stands in the configuration.
        for (const { id, nosec } of local) {
          const args = ["instance", "--config", config.path, "--id", id];
          supervisor.start(id, nosec ? [...args, "--nosec"] : args);
        }
        await supervisor.until(() => areUp(client, local.length));
        if (certificates) process.on("SIGHUP", readAgain);
        log.info({ zone: config.zone, instances: local.length }, "serving");
        const ended = await Promise.race([untilTold(log), supervisor.ended()]);
        if (ended !== undefined) throw new BerthError("process-ended", `${ended} ended; stopping the others`);
      } finally {
        process.removeListener("SIGHUP", readAgain);
        client.close();
        await supervisor.stop();
      }
    });
}
