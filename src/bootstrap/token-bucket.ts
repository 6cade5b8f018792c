import type { Instant, Milliseconds } from "../lib/clock.ts";

/** So many a second, and what was saved up for a while of it at once. Starts full. */
export class TokenBucket {
  readonly #saves: Milliseconds;
  #tokens = Number.POSITIVE_INFINITY;
  #at: Instant = 0;

  /** @param saves for how long what is not taken is saved up */
  constructor(saves: Milliseconds) {
    this.#saves = saves;
  }

  /** Takes `count` if there is as much as that, at a rate that may be another each time. */
  take(count: number, perSecond: number, now: Instant): boolean {
    const most = Math.max(1, (perSecond * this.#saves) / 1000);
    const gained = (Math.max(0, now - this.#at) * perSecond) / 1000;
    this.#tokens = Math.min(most, this.#tokens + gained);
    this.#at = now;
    // What rounding has lost must not cost a token that is due.
    if (this.#tokens + 1e-9 < count) return false;
    this.#tokens -= count;
    return true;
  }
}
