import type { Instant } from "../../src/lib/clock.ts";

interface Entry<T> {
  readonly at: Instant;
  /** Of events at one instant the one that was put in first comes first, so that a seed gives one course of things. */
  readonly order: number;
  readonly what: T;
}

/** What is to happen, by its time: a binary heap. */
export class EventQueue<T> {
  readonly #heap: Entry<T>[] = [];
  #count = 0;

  /** When the next event is due; never, if there is none. */
  get next(): Instant {
    return this.#heap[0]?.at ?? Number.POSITIVE_INFINITY;
  }

  push(at: Instant, what: T): void {
    const entry = { at, order: this.#count++, what };
    let index = this.#heap.length;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      const above = this.#heap[parent] as Entry<T>;
      if (before(above, entry)) break;
      this.#heap[index] = above;
      index = parent;
    }
    this.#heap[index] = entry;
  }

  /** Takes out the next event. */
  pop(): T | undefined {
    const first = this.#heap[0];
    const last = this.#heap.pop();
    if (first === undefined || last === undefined) return undefined;
    if (this.#heap.length > 0) this.#sink(last);
    return first.what;
  }

  #sink(entry: Entry<T>): void {
    const heap = this.#heap;
    let index = 0;
    for (let child = 1; child < heap.length; child = 2 * index + 1) {
      const right = heap[child + 1];
      const least = right !== undefined && before(right, heap[child] as Entry<T>) ? child + 1 : child;
      const below = heap[least] as Entry<T>;
      if (before(entry, below)) break;
      heap[index] = below;
      index = least;
    }
    heap[index] = entry;
  }
}

function before<T>(a: Entry<T>, b: Entry<T>): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
