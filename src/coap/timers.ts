import type { Instant } from "../lib/clock.ts";

/** Something that is due at one time or another; held by one {@link TimerHeap} at most. */
export abstract class Timer {
  /** Kept by the heap. */
  deadline: Instant = 0;
  /** Kept by the heap: where it stands in it, -1 when it does not. */
  slot = -1;

  /** Called once when due; may arm this or any other timer again. */
  abstract expire(now: Instant): void;
}

/** A binary heap of timers, the earliest on top. Arming and disarming take O(log n). */
export class TimerHeap {
  readonly #timers: Timer[] = [];

  get size(): number {
    return this.#timers.length;
  }

  /** The earliest deadline; infinite when there is none. */
  next(): Instant {
    return this.#timers[0]?.deadline ?? Number.POSITIVE_INFINITY;
  }

  /** Lets `timer` expire at `deadline`, whether it was armed before or not. */
  arm(timer: Timer, deadline: Instant): void {
    this.disarm(timer);
    timer.deadline = deadline;
    timer.slot = this.#timers.push(timer) - 1;
    this.#rise(timer);
  }

  /** Forgets `timer`, if it is armed. */
  disarm(timer: Timer): void {
    if (timer.slot < 0) return;
    const last = this.#timers.pop();
    if (last !== undefined && last !== timer) {
      this.#put(last, timer.slot);
      if (last.deadline < timer.deadline) this.#rise(last);
      else this.#sink(last);
    }
    timer.slot = -1;
  }

  /** Lets all expire that are due at `now`, in the order of their deadlines. */
  expire(now: Instant): void {
    for (let top = this.#timers[0]; top !== undefined && top.deadline <= now; top = this.#timers[0]) {
      this.disarm(top);
      top.expire(now);
    }
  }

  #rise(timer: Timer): void {
    let slot = timer.slot;
    while (slot > 0) {
      const above = (slot - 1) >> 1;
      const parent = this.#timers[above];
      if (parent === undefined || parent.deadline <= timer.deadline) break;
      this.#put(parent, slot);
      slot = above;
    }
    this.#put(timer, slot);
  }

  #sink(timer: Timer): void {
    let slot = timer.slot;
    for (;;) {
      const left = this.#timers[2 * slot + 1];
      const right = this.#timers[2 * slot + 2];
      const child = right !== undefined && left !== undefined && right.deadline < left.deadline ? right : left;
      if (child === undefined || child.deadline >= timer.deadline) break;
      const below = child.slot;
      this.#put(child, slot);
      slot = below;
    }
    this.#put(timer, slot);
  }

  #put(timer: Timer, slot: number): void {
    this.#timers[slot] = timer;
    timer.slot = slot;
  }
}
