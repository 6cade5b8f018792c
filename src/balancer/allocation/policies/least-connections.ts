import type { SpreadPolicy } from "../facts.ts";

/** Sessions that come and go by chance, for each instance: these few are not to sway a whole fleet. */
const NOISE = 8;

/**
 * Who has the fewest sessions in progress gets the most names. A name that has no instance counts as one session more
 * where it goes. When all are spread, all sessions together count as much as all pending names together: so an instance
 * with its fair share of the sessions gets its fair share of the names, one with twice as many sessions none, and an idle
 * one twice its share.
 */
export const leastConnections: SpreadPolicy = {
  name: "least-connections",
  measure(instances, pending, placing) {
    // An instance may have sessions that the balancer has not heard of yet.
    const sessions = instances.map(({ commenced, load }) => Math.max(commenced, load.sessions));
    const all = sessions.reduce((sum, each) => sum + each, 0);
    const namesPerSession = Math.max(1, pending / (all + NOISE * instances.length));
    return instances.map(({ index, override = 1, pending: theirs }, position) => {
      const mine = sessions[position] ?? 0;
      // What is there already is no connection yet.
      return { index, weight: override, base: placing ? mine - theirs : mine * namesPerSession };
    });
  },
};
