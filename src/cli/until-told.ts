import type { Logger } from "../lib/log.ts";

/**
 * Resolves at the first SIGINT or SIGTERM, or when the process that started this one is gone (see Supervisor); a second
 * signal ends the process at once.
 * @param otherwise another reason to stop, once there is one
 */
export function untilTold(log: Logger, otherwise?: Promise<string>): Promise<void> {
  return new Promise((resolve) => {
    const stop = (reason: string): void => {
      process.removeAllListeners("SIGINT").removeAllListeners("SIGTERM").removeListener("disconnect", orphaned);
      if (process.connected) process.disconnect();
      log.info({ reason }, "stopping");
      resolve();
    };
    const orphaned = (): void => stop("the process that started this one is gone");
    process.on("SIGINT", stop);
    process.on("SIGTERM", stop);
    process.on("disconnect", orphaned);
    void otherwise?.then(stop);
    // Undefined where nobody was connected from the start.
    if (process.connected === false) orphaned();
  });
}
