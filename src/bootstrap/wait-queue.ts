import type { Instant } from "../lib/clock.ts";

interface Entry<T> {
  readonly item: T;
  readonly until: Instant;
}

/** Things that wait for their time, which is equally long for all of them. Every operation takes O(1). */
export class WaitQueue<T extends { readonly key: string }> {
  /** What stands before `#first` is done with; a Map in this place would walk over all it has deleted. */
  #entries: (Entry<T> | undefined)[] = [];
  #first = 0;
  /** When an item's time ends, by its key: an entry that says otherwise is out of date. */
  readonly #untils: Map<string, Instant> = new Map();

  get size(): number {
    return this.#untils.size;
  }

  /** When the first one's time ends; infinity if there is none. */
  get nextUntil(): Instant {
    this.#skip();
    return this.#entries[this.#first]?.until ?? Number.POSITIVE_INFINITY;
  }

  /** @param until not before that of those added earlier */
  add(item: T, until: Instant): void {
    this.#untils.set(item.key, until);
    this.#entries.push({ item, until });
  }

  /** It waits no more. */
  forget({ key }: T): void {
    this.#untils.delete(key);
  }

  /** Takes out the first one whose time ends by `until`. */
  take(until: Instant): T | undefined {
    this.#skip();
    const entry = this.#entries[this.#first];
    if (entry === undefined || entry.until > until) return undefined;
    this.#untils.delete(entry.item.key);
    this.#entries[this.#first++] = undefined;
    return entry.item;
  }

  /** Steps over entries that are out of date, and gives back the room of those before. */
  #skip(): void {
    for (;;) {
      const entry = this.#entries[this.#first];
      if (entry === undefined || this.#untils.get(entry.item.key) === entry.until) break;
      this.#entries[this.#first++] = undefined;
    }
    if (this.#first > 1024 && this.#first * 2 > this.#entries.length) {
      this.#entries = this.#entries.slice(this.#first);
      this.#first = 0;
    }
  }
}
