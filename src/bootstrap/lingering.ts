import type { Instant, Milliseconds } from "../lib/clock.ts";
import type { Caller } from "./caller.ts";
import { WaitQueue } from "./wait-queue.ts";

/**
 * How long an association outlives its session. Where the 2.04 was lost, the device sends its Bootstrap-Request again
 * within ACK_TIMEOUT x ACK_RANDOM_FACTOR = 3 s of RFC 7252, and is answered still.
 */
const LINGER: Milliseconds = 5000;
/**
 * How many may; in a storm the oldest are closed earlier, as nearly all of them linger for nothing. OpenSSL keeps some
 * 45 kB for each, and memory that is not used again soon is out of the processor's caches: 2,000 made a bootstrap cost 40 % more.
 */
const MAX_LINGERING = 64;

/** Associations whose session is over. */
export class Lingering {
  readonly #waiting: WaitQueue<Caller> = new WaitQueue();
  readonly #free: (caller: Caller) => boolean;

  /** @param free whether the association is not in use again: a device may have begun anew on the one it has */
  constructor(free: (caller: Caller) => boolean) {
    this.#free = free;
  }

  /** When the first one is to be closed; infinity if there is none. */
  get nextUntil(): Instant {
    return this.#waiting.nextUntil;
  }

  add(caller: Caller, now: Instant): void {
    this.#waiting.add(caller, now + LINGER);
    if (this.#waiting.size > MAX_LINGERING) this.close(this.#waiting.nextUntil, now, 1);
  }

  /** It is gone already. */
  forget(caller: Caller): void {
    this.#waiting.forget(caller);
  }

  /** Closes up to `most` of those that were to linger until then. */
  close(until: Instant, now: Instant, most: number = Number.POSITIVE_INFINITY): void {
    for (let closed = 0; closed < most; closed++) {
      const caller = this.#waiting.take(until);
      if (caller === undefined) return;
      if (this.#free(caller)) caller.close(now);
    }
  }
}
