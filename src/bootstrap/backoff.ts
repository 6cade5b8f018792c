import type { Milliseconds } from "../lib/clock.ts";
import type { Random } from "../lib/random.ts";

/** How long to wait before the next attempt. */
export interface BackoffLimits {
  readonly first: Milliseconds;
  readonly longest: Milliseconds;
}

/** A balancer that was started again is back within a few seconds, and so must its instances be. */
export const BACKOFF_LIMITS: BackoffLimits = { first: 200, longest: 5000 };

/** Waits that double from attempt to attempt, each spread over its upper half so that instances do not come back as one. */
export class Backoff {
  readonly #limits: BackoffLimits;
  readonly #random: Random;
  #failures = 0;

  constructor(limits: BackoffLimits, random: Random) {
    this.#limits = limits;
    this.#random = random;
  }

  /** The wait after one more failure, ms. */
  next(): Milliseconds {
    const whole = Math.min(this.#limits.longest, this.#limits.first * 2 ** this.#failures);
    if (whole < this.#limits.longest) this.#failures++;
    return whole * (0.5 + this.#random.uniform() / 2);
  }

  /** It worked. */
  reset(): void {
    this.#failures = 0;
  }
}
