import type { Milliseconds } from "../lib/clock.ts";
import { formatDuration } from "../lib/duration.ts";
import { InvalidInput } from "../lib/errors.ts";
import { epochAt, type Recipe } from "../naming/index.ts";

/** When names change. All ms. */
export interface Timing {
  /** TTL of the names in DNS. */
  readonly ttl: Milliseconds;
  /** How far a device's clock may be off. */
  readonly skew: Milliseconds;
  /** How long before its start an epoch is published, and after its end withdrawn (B10). */
  readonly lead: Milliseconds;
  readonly grace: Milliseconds;
  /** Regenerate this often; absent: at each epoch of the recipe, or on events only. */
  readonly rotateEvery?: Milliseconds | undefined;
}

/**
 * Refuses a configuration that would change names faster than resolvers forget them (B6), or publish them too late (B10).
 * @throws InvalidInput with the numbers
 */
export function checkTiming(recipe: Recipe, timing: Timing): void {
  const { ttl, skew, lead, grace, rotateEvery } = timing;
  const epoch = epochAt(recipe, 0);
  const unit = epoch === undefined ? undefined : epoch.end - epoch.start;
  if (ttl <= 0) throw new InvalidInput("dns.ttl: must be more than 0; some resolvers keep a TTL of 0 for many minutes");
  if (rotateEvery !== undefined && rotateEvery < ttl) {
    throw new InvalidInput(
      `rotation.every: ${formatDuration(rotateEvery)} is shorter than dns.ttl, ${formatDuration(ttl)}: resolvers would give out names' old addresses`,
    );
  }
  if (unit !== undefined && unit < ttl) {
    throw new InvalidInput(
      `recipe: its time unit, ${formatDuration(unit)}, is shorter than dns.ttl, ${formatDuration(ttl)}: names would end before resolvers forget them`,
    );
  }
  if (lead < skew)
    throw new InvalidInput(`epochs.lead: ${formatDuration(lead)} is shorter than epochs.skew, ${formatDuration(skew)}`);
  if (grace < skew + ttl) {
    throw new InvalidInput(
      `epochs.grace: ${formatDuration(grace)} is shorter than epochs.skew and dns.ttl, ${formatDuration(skew + ttl)}`,
    );
  }
}
