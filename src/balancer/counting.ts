/** Where a device stands in counting, for recipes with a counter (N3). */
export interface Counting {
  /** The device has counted this far at least: it tries the names of this counter up to the look-ahead beyond it. */
  readonly counter: number;
  /** How many names from there on are withdrawn; at most the look-ahead, so that one that the device tries is live. */
  readonly skipped: number;
}

/** The lowest counter whose name is live; those up to the look-ahead beyond it are live too. */
export function lowestLive({ counter, skipped }: Counting): number {
  return counter + skipped;
}

/**
 * The device came by the name of this counter: the names below it are not needed any more. How far it has counted itself
 * is not certain, as it may have met lower names that were withdrawn, and counts on only when it has its configuration.
 */
export function used(at: Counting, counter: number, lookAhead: number): Counting {
  const lowest = Math.max(lowestLive(at), counter);
  // It may have come by a name that was withdrawn a moment ago.
  return since(Math.max(at.counter, counter - lookAhead), lowest);
}

/**
 * The device has its configuration, and counted on from the name it came by; from whichever, if its name was not seen:
 * then both sides count on by one and stay as far apart as they were.
 */
export function finished(at: Counting, counter: number | undefined): Counting {
  if (counter === undefined) return { counter: at.counter + 1, skipped: at.skipped };
  const next = Math.max(at.counter, counter + 1);
  return since(next, Math.max(lowestLive(at), next));
}

/** The lowest name is withdrawn, unless the device might then try none that is live. Returns `at` itself in that case. */
export function withdrawn(at: Counting, lookAhead: number): Counting {
  return at.skipped >= lookAhead ? at : { counter: at.counter, skipped: at.skipped + 1 };
}

function since(counter: number, lowest: number): Counting {
  return { counter, skipped: lowest - counter };
}
