import type { Instant, Milliseconds } from "../lib/clock.ts";
import type { Logger } from "../lib/log.ts";
import type { Source } from "./source.ts";
import type { NameserverStats } from "./stats.ts";

/** A flood is told of so often while it lasts. */
const TELL_EVERY: Milliseconds = 60_000;

/** Tells of a flood at its begin and then now and again; of the names that are asked for, nothing. */
export function floodTeller(log: Logger, stats: () => NameserverStats): (from: Source, now: Instant) => void {
  let told = -Infinity;
  return (from, now) => {
    if (now - told < TELL_EVERY && now >= told) return;
    told = now;
    const { rateLimited, slipped } = stats();
    log.warn({ network: from.prefix(), rateLimited, slipped }, "too many alike answers to one network: some are held back");
  };
}
