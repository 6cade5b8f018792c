import type { Logger } from "../lib/log.ts";

/** Resolves at the first SIGINT or SIGTERM; a second one ends the process at once. */
export function untilTold(log: Logger): Promise<void> {
  return new Promise((resolve) => {
    const stop = (signal: NodeJS.Signals): void => {
      process.removeAllListeners("SIGINT").removeAllListeners("SIGTERM");
      log.info({ signal }, "stopping");
      resolve();
    };
    process.on("SIGINT", stop);
    process.on("SIGTERM", stop);
  });
}
