import type { Milliseconds, Seconds } from "../lib/clock.ts";
import type { Random } from "../lib/random.ts";

/** How long a device waits between failed attempts (D7). */
export interface RetryOptions {
  /** Upper bound of the wait after the first failure; it doubles with each further one. */
  readonly base: Milliseconds;
  /** Upper bound of every wait. */
  readonly cap: Milliseconds;
  /** The longest Max-Age that is honoured: a forged or mistaken answer must not silence a device for years. */
  readonly longestMaxAge: Milliseconds;
}

/** A first retry within 2 s, and at least one every 10 min, which is what the most patient LwM2M clients do. */
export const DEFAULT_RETRY: RetryOptions = { base: 2_000, cap: 600_000, longestMaxAge: 86_400_000 };

/** What a 5.03 without Max-Age means (RFC 7252 section 5.10.5). */
export const DEFAULT_MAX_AGE: Seconds = 60;

/**
 * How long to wait after the `failures`-th failure in a row (from 1): full jitter, so evenly spread between
 * nothing and an exponentially growing bound, which keeps a fleet that failed together from coming back together.
 * @param maxAge of a 5.03 Service Unavailable: no attempt before it is over, and the jitter comes on top
 */
export function retryDelay(failures: number, options: RetryOptions, random: Random, maxAge?: Seconds): Milliseconds {
  const bound = Math.min(options.cap, options.base * 2 ** (failures - 1));
  const hold = maxAge === undefined ? 0 : Math.min(maxAge * 1000, options.longestMaxAge);
  return hold + random.uniform() * bound;
}
