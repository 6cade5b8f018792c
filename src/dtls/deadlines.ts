import type { Instant } from "../lib/clock.ts";

/** What a {@link DeadlineQueue} holds. Both fields belong to the queue. */
export interface Scheduled {
  wakeAt: Instant;
  /** Where the item stands in the heap; -1 if it is not in the queue. */
  slot: number;
}

/** A binary heap of items by the instant at which they want attention, from which any item can be taken out. */
export class DeadlineQueue<Item extends Scheduled> {
  readonly #heap: Item[] = [];

  /** The item that is due first. */
  first(): Item | undefined {
    return this.#heap[0];
  }

  /** Puts `item` in, or moves it. */
  set(item: Item, wakeAt: Instant): void {
    if (item.slot < 0) {
      item.slot = this.#heap.length;
      this.#heap.push(item);
    }
    item.wakeAt = wakeAt;
    this.#settle(item);
  }

  /** Takes `item` out, if it is in. */
  delete(item: Item): void {
    if (item.slot < 0) return;
    const last = this.#heap.pop();
    if (last !== undefined && last !== item) {
      last.slot = item.slot;
      this.#heap[last.slot] = last;
      this.#settle(last);
    }
    item.slot = -1;
  }

  #settle(item: Item): void {
    let parent = this.#heap[(item.slot - 1) >> 1];
    while (item.slot > 0 && parent !== undefined && item.wakeAt < parent.wakeAt) {
      this.#swap(item, parent);
      parent = this.#heap[(item.slot - 1) >> 1];
    }
    let child = this.#earlierChild(item.slot);
    while (child !== undefined && child.wakeAt < item.wakeAt) {
      this.#swap(child, item);
      child = this.#earlierChild(item.slot);
    }
  }

  #earlierChild(slot: number): Item | undefined {
    const left = this.#heap[2 * slot + 1];
    const right = this.#heap[2 * slot + 2];
    return left !== undefined && right !== undefined && right.wakeAt < left.wakeAt ? right : left;
  }

  #swap(a: Item, b: Item): void {
    [a.slot, b.slot] = [b.slot, a.slot];
    this.#heap[a.slot] = a;
    this.#heap[b.slot] = b;
  }
}
