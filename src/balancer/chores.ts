import type { Clock, Instant, Milliseconds } from "../lib/clock.ts";
import { errorText } from "../lib/errors.ts";
import type { Logger } from "../lib/log.ts";

/** A chore that failed, as when the database is away, is not tried again before this. */
const RETRY_AFTER: Milliseconds = 2000;

/** Work in the background that is found due again and again until it is done: each kind runs once at a time. */
export class Chores {
  readonly #time: Clock;
  readonly #log: Logger;
  readonly #running: Map<string, Promise<void>> = new Map();
  readonly #notBefore: Map<string, Instant> = new Map();

  constructor(time: Clock, log: Logger) {
    this.#time = time;
    this.#log = log;
  }

  /** Starts a chore unless it is under way, or failed a moment ago. */
  start(what: string, work: () => Promise<unknown>): void {
    if (this.#running.has(what) || this.#time.now() < (this.#notBefore.get(what) ?? 0)) return;
    this.#running.set(what, this.#run(what, work));
  }

  /** Resolves when nothing is under way. */
  async idle(): Promise<void> {
    await Promise.all(this.#running.values());
  }

  async #run(what: string, work: () => Promise<unknown>): Promise<void> {
    try {
      await work();
      this.#notBefore.delete(what);
    } catch (error) {
      this.#notBefore.set(what, this.#time.now() + RETRY_AFTER);
      this.#log.error({ error: errorText(error) }, `${what} failed`);
    } finally {
      this.#running.delete(what);
    }
  }
}
