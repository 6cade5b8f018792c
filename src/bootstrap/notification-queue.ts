import type { Notification } from "../control/index.ts";

/** What is reported of a session; the queue numbers it. */
export type Report = Omit<Notification, "sequence">;

/**
 * Notifications on their way to the balancer: in order, each until it is acknowledged. A number is given when a
 * notification first joins a batch, and a batch stays as it is until it is acknowledged, so that sending it again
 * is harmless and the numbers have no gap.
 *
 * Memory is bounded. At the bound what waits is thinned: reports of commencement go first, as the outcome of a
 * session says more than its beginning; if that is not enough, the oldest quarter goes. What a lost report leaves
 * behind at the balancer is a device it takes for pending, which is what its session deadline would make of it.
 */
export class NotificationQueue {
  readonly #limit: number;
  #waiting: Report[] = [];
  #batch: readonly Notification[] = [];
  #sequence = 0;
  #dropped = 0;

  /** @param limit how many may wait */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** How many are not acknowledged yet. */
  get size(): number {
    return this.#waiting.length + this.#batch.length;
  }

  /** How many were given up at the bound. */
  get dropped(): number {
    return this.#dropped;
  }

  add(report: Report): void {
    if (this.#waiting.length >= this.#limit) this.#thin();
    this.#waiting.push(report);
  }

  /** What to send now: what was sent before and not acknowledged, else up to `most` of those that wait. */
  batch(most: number): readonly Notification[] {
    if (this.#batch.length === 0 && this.#waiting.length > 0) {
      this.#batch = this.#waiting.splice(0, most).map((report) => ({ sequence: ++this.#sequence, ...report }));
    }
    return this.#batch;
  }

  /** The balancer has applied the batch. */
  acknowledge(): void {
    this.#batch = [];
  }

  #thin(): void {
    const before = this.#waiting.length;
    this.#waiting = this.#waiting.filter((report) => report.kind !== "commenced");
    const room = Math.ceil(this.#limit / 4);
    const tooMany = this.#waiting.length - (this.#limit - room);
    if (tooMany > 0) this.#waiting.splice(0, tooMany);
    this.#dropped += before - this.#waiting.length;
  }
}
