import type { Instant } from "../lib/clock.ts";
import type { Caller } from "./caller.ts";

interface Entry {
  readonly caller: Caller;
  readonly until: Instant;
}

/** Associations that are to be closed in a while, in the order of their time. Every operation takes O(1). */
export class LingerQueue {
  /** What stands before `#first` is done with; a Map in this place would walk over all it has deleted. */
  #entries: (Entry | undefined)[] = [];
  #first = 0;
  /** When a caller's time ends, by its key: an entry that says otherwise is out of date. */
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
  add(caller: Caller, until: Instant): void {
    this.#untils.set(caller.key, until);
    this.#entries.push({ caller, until });
  }

  /** The caller is gone already. */
  forget(caller: Caller): void {
    this.#untils.delete(caller.key);
  }

  /** Takes out the first one whose time ends by `until`. */
  take(until: Instant): Caller | undefined {
    this.#skip();
    const entry = this.#entries[this.#first];
    if (entry === undefined || entry.until > until) return undefined;
    this.#untils.delete(entry.caller.key);
    this.#entries[this.#first++] = undefined;
    return entry.caller;
  }

  /** Steps over entries that are out of date, and gives back the room of those before. */
  #skip(): void {
    for (;;) {
      const entry = this.#entries[this.#first];
      if (entry === undefined || this.#untils.get(entry.caller.key) === entry.until) break;
      this.#entries[this.#first++] = undefined;
    }
    if (this.#first > 1024 && this.#first * 2 > this.#entries.length) {
      this.#entries = this.#entries.slice(this.#first);
      this.#first = 0;
    }
  }
}
