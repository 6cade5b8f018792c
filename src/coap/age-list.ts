import type { Instant, Milliseconds } from "../lib/clock.ts";

/** What an {@link AgeList} holds: the list's links are in the thing itself, so that 100,000 of them stay small. */
export abstract class Aging<T extends Aging<T>> {
  /** Kept by the list. */
  expires: Instant = 0;
  /** Kept by the list. */
  older: T | undefined = undefined;
  /** Kept by the list. */
  newer: T | undefined = undefined;
  /** Kept by the list. */
  listed = false;
}

/** Things that all live equally long since they were last touched, the oldest first. Every operation takes O(1). */
export class AgeList<T extends Aging<T>> {
  readonly #lifetime: Milliseconds;
  #oldest: T | undefined;
  #newest: T | undefined;
  #size = 0;

  constructor(lifetime: Milliseconds) {
    this.#lifetime = lifetime;
  }

  get size(): number {
    return this.#size;
  }

  get oldest(): T | undefined {
    return this.#oldest;
  }

  /** Adds `item`, or lets it live anew. */
  touch(item: T, now: Instant): void {
    if (item.listed) this.remove(item);
    item.expires = now + this.#lifetime;
    item.older = this.#newest;
    if (this.#newest === undefined) this.#oldest = item;
    else this.#newest.newer = item;
    this.#newest = item;
    item.listed = true;
    this.#size++;
  }

  /** Takes `item` out, if it is in. */
  remove(item: T): void {
    if (!item.listed) return;
    if (item.older === undefined) this.#oldest = item.newer;
    else item.older.newer = item.newer;
    if (item.newer === undefined) this.#newest = item.older;
    else item.newer.older = item.older;
    item.older = undefined;
    item.newer = undefined;
    item.listed = false;
    this.#size--;
  }
}
