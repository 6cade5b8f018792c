import { extname } from "node:path";
import type { Worker } from "node:worker_threads";
import type { ZoneTable } from "../dns/index.ts";
import type { Logger } from "../lib/log.ts";
import { startThread } from "../lib/start-thread.ts";
import { type NameserverStats, newStats } from "./stats.ts";
import type { FromThread, ThreadTask, ToThread } from "./thread-task.ts";

/** Threads that answer over UDP on the ports of the main thread, out of its zone table. */
export class NameserverThreads {
  readonly #workers: readonly Worker[];
  readonly #stats: NameserverStats[];
  readonly #unfollow: (() => void)[] = [];
  readonly #log: Logger;
  #closing = false;

  private constructor(workers: readonly Worker[], log: Logger) {
    this.#workers = workers;
    this.#stats = workers.map(newStats);
    this.#log = log;
  }

  /** Starts so many threads. @throws what hinders one of them, such as CannotListen's message */
  static async start(count: number, table: ZoneTable, task: Omit<ThreadTask, "names">, log: Logger): Promise<NameserverThreads> {
    const file = new URL(`./thread-worker${extname(import.meta.url)}`, import.meta.url);
    const workers: Worker[] = [];
    const names = table.sharedNow();
    for (let index = 0; index < count; index++) workers.push(startThread(file, { ...task, names } satisfies ThreadTask));
    const threads = new NameserverThreads(workers, log);
    try {
      await Promise.all(workers.map((worker, index) => threads.#started(worker, index)));
    } catch (error) {
      await threads.close();
      throw error;
    }
    for (const worker of workers) {
      threads.#unfollow.push(table.share((zone) => worker.postMessage({ names: zone } satisfies ToThread)));
    }
    return threads;
  }

  /** Sums of all threads, as they last told, and asks them anew. */
  get stats(): readonly NameserverStats[] {
    for (const worker of this.#workers) worker.postMessage({ ask: "stats" } satisfies ToThread);
    return this.#stats;
  }

  async close(): Promise<void> {
    this.#closing = true;
    for (const unfollow of this.#unfollow) unfollow();
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
  }

  #started(worker: Worker, index: number): Promise<void> {
    return new Promise((resolve, reject) => {
      worker.on("message", (message: FromThread) => {
        if ("stats" in message) this.#stats[index] = message.stats;
        else if ("warn" in message) this.#log.warn(message.fields, message.warn);
        else resolve();
      });
      const gone = (error: Error): void => {
        if (!this.#closing) this.#log.error({ error: error.message }, "a thread of the nameserver has ended");
        reject(error);
      };
      worker.on("error", gone);
      worker.on("exit", (status) => gone(new Error(`exit code ${status}`)));
    });
  }
}
