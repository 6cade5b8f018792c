import { extname } from "node:path";
import type { Worker } from "node:worker_threads";
import type { Registry, Written, ZoneTransfers } from "../dns/index.ts";
import { RegistryUnavailable } from "../dns/index.ts";
import { InternalError } from "../lib/errors.ts";
import type { LogFields, Logger } from "../lib/log.ts";
import { startThread } from "../lib/start-thread.ts";
import type { RegistryTask } from "./registry-task.ts";
import { Rpc } from "./rpc.ts";
import type { PrimaryMemory, PrimaryStore } from "./serial-keeper.ts";

/** Options of {@link RegistryThread.start}. */
export interface RegistryThreadOptions {
  readonly task: RegistryTask;
  /** Of the hidden primary's serial. */
  readonly store: PrimaryStore;
  readonly log: Logger;
}

/** A registry in a thread of its own, so that neither its work nor a transfer holds up the main thread. */
export class RegistryThread implements Registry, ZoneTransfers {
  readonly #options: RegistryThreadOptions;
  #running: { readonly rpc: Rpc; readonly worker: Worker } | undefined;
  /** It has ended by itself: the next comparison begins with another. */
  #gone = false;
  #desired: AsyncIterator<Uint8Array> | undefined;
  #closed = false;
  /** Serial of the zone as it was last written. */
  serial: number;

  private constructor(options: RegistryThreadOptions) {
    const { task } = options;
    this.#options = options;
    this.serial = task.kind === "primary" ? task.zone.serial : 0;
  }

  /** Starts the thread. @throws BerthError if it does not come up */
  static async start(options: RegistryThreadOptions): Promise<RegistryThread> {
    const thread = new RegistryThread(options);
    await thread.#begin();
    return thread;
  }

  async replace(all: AsyncIterable<Uint8Array>, limit: number): Promise<Written> {
    if (this.#gone && !this.#closed) await this.#begin();
    this.#desired = all[Symbol.asyncIterator]();
    try {
      return this.#noted(await this.#rpc.call<Written>("replace", limit));
    } finally {
      await this.#desired.return?.();
      this.#desired = undefined;
    }
  }

  async write(states: Uint8Array): Promise<Written> {
    return this.#noted(await this.#rpc.call<Written>("write", states));
  }

  /** The lease is not ours any more: the hidden primary gives nothing out until the next `replace`. */
  suspend(): void {
    this.#rpc.tell("suspend");
  }

  async *respond(message: Uint8Array, transport: "udp" | "tcp"): AsyncGenerator<Uint8Array> {
    const id = await this.#rpc.call<number>("respond", message, transport);
    let over = false;
    try {
      while (!over) {
        const { messages, done } = await this.#rpc.call<{ messages: readonly Uint8Array[]; done: boolean }>("nextMessages", id);
        over = done;
        yield* messages;
      }
    } finally {
      if (!over) this.#rpc.tell("endMessages", id);
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    // One that has ended has nothing to give back.
    await this.#rpc.call("close").catch(() => {});
    await this.#running?.worker.terminate();
  }

  get #rpc(): Rpc {
    if (this.#running === undefined) throw new InternalError("a registry's thread that was never started");
    return this.#running.rpc;
  }

  #begin(): Promise<void> {
    const { store, log, task } = this.#options;
    const worker = startThread(new URL(`./registry-worker${extname(import.meta.url)}`, import.meta.url), task);
    return new Promise((resolve, reject) => {
      const rpc = new Rpc(worker, {
        ready: () => {
          this.#gone = false;
          resolve();
        },
        log: (level: keyof Logger, fields: LogFields, message: string) => log[level](fields, message),
        nextStates: async () => {
          const next = await this.#desired?.next();
          return next === undefined || next.done ? undefined : next.value;
        },
        loadMemory: () => store.load(),
        saveMemory: (memory: PrimaryMemory) => store.save(memory),
      });
      const gone = (why: string): void => {
        // What it held, or believed to be held, is lost with it.
        const error = new RegistryUnavailable("zone", `the registry's thread has ended: ${why}`);
        if (!this.#closed && !this.#gone) log.error({ why }, "the registry's thread has ended; another begins with a comparison");
        this.#gone = true;
        rpc.end(error);
        reject(error);
      };
      worker.on("error", (error) => gone(error.message));
      worker.on("exit", (status) => gone(`exit code ${status}`));
      this.#running = { rpc, worker };
    });
  }

  #noted(written: Written): Written {
    if (written.serial !== null) this.serial = written.serial;
    return written;
  }
}
