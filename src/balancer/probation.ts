import type { Instant, Milliseconds } from "../lib/clock.ts";

/** The first time takes so long; each further setback within {@link REMEMBERED} doubles it, up to {@link LONGEST}. */
const SHORTEST: Milliseconds = 10_000;
const LONGEST: Milliseconds = 300_000;
const REMEMBERED: Milliseconds = 600_000;

/** Why an instance has to prove itself: it was lost, or devices failed on it one after the other. */
export type ProbationReason = "lost" | "failures";

/** The time in which an instance has to give signs of life steadily before it is given devices again. */
export interface Probation {
  readonly reason: ProbationReason;
  readonly span: Milliseconds;
  /** Begins anew when a sign of life comes late. */
  until: Instant;
}

/** Remembers when instances were lost or failing, so that one that stutters is given devices ever more rarely (B12). */
export class Setbacks {
  readonly #of: Map<number, Instant[]> = new Map();

  /** An instance was lost, or taken out. */
  add(instance: number, now: Instant): void {
    this.#of.set(instance, [...this.#recent(instance, now), now]);
  }

  /** How an instance has to prove itself from now on. */
  probation(instance: number, reason: ProbationReason, now: Instant): Probation {
    const doublings = Math.max(0, this.#recent(instance, now).length - 1);
    const span = Math.min(LONGEST, SHORTEST * 2 ** doublings);
    return { reason, span, until: now + span };
  }

  #recent(instance: number, now: Instant): readonly Instant[] {
    return (this.#of.get(instance) ?? []).filter((at) => now - at <= REMEMBERED);
  }
}
