import type { Clock, Instant, Milliseconds } from "../../lib/clock.ts";

/** So many may always go at once. */
const FEW = 5;
/** More than this part of the devices of a source is more than goes at once in the ordinary way. */
const MANY = 0.3;
/** For how long every answer has to say that so many have gone, before it is believed. */
const CONFIRMED_AFTER: Milliseconds = 10 * 60_000;

/** What becomes of devices that a source does not name any more. */
export interface Verdict {
  readonly remove: boolean;
  /** Why they are kept, for the log. */
  readonly why?: string;
}

/**
 * Decides whether to believe a source that devices have gone. A server that lost its store, or reads it in, answers with few
 * clients or none, and that is not to cost the fleet: an empty list is never believed, and one that has shrunk by much only when
 * all its answers say so for ten minutes.
 */
export class Removals {
  readonly #time: Clock;
  #since: Instant | undefined;

  /** @param time never goes back */
  constructor(time: Clock) {
    this.#time = time;
  }

  /**
   * @param named how many the source names
   * @param gone how many it brought and does not name any more
   * @param brought how many it brought, with those
   */
  judge(named: number, gone: number, brought: number): Verdict {
    if (gone > 0 && named === 0) {
      this.#since = undefined;
      return { remove: false, why: "an empty list is taken for a fault" };
    }
    if (gone <= FEW || gone <= MANY * brought) {
      this.#since = undefined;
      return { remove: true };
    }
    const now = this.#time.now();
    this.#since ??= now;
    if (now - this.#since < CONFIRMED_AFTER) {
      return { remove: false, why: "more than 30 % at once are removed when all answers of ten minutes say so" };
    }
    this.#since = undefined;
    return { remove: true };
  }

  /** The source gave no answer: what it said before counts no more. */
  forget(): void {
    this.#since = undefined;
  }
}
