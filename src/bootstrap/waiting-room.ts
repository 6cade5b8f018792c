import type { Instant, Milliseconds } from "../lib/clock.ts";

interface Entry {
  again(now: Instant): void;
  /** When it was said last. */
  said: Instant;
}

/** Datagrams that are taken in later, in the order in which their senders came; one of each sender, its latest. O(1). */
export class WaitingRoom {
  readonly #places: number;
  readonly #patience: Milliseconds;
  readonly #entries: Map<string, Entry> = new Map();
  /** The keys of `#entries` in order from `#first` on; a Map would walk over all it has deleted. */
  #order: string[] = [];
  #first = 0;

  /**
   * @param places how many may wait
   * @param patience after this long a sender that has not said it again has gone
   */
  constructor(places: number, patience: Milliseconds) {
    this.#places = places;
    this.#patience = patience;
  }

  get size(): number {
    return this.#entries.size;
  }

  /**
   * Keeps what `key` said.
   * @returns false if there is no place
   */
  add(key: string, again: (now: Instant) => void, now: Instant): boolean {
    const entry = this.#entries.get(key);
    if (entry !== undefined) {
      entry.again = again;
      entry.said = now;
      return true;
    }
    if (this.#entries.size >= this.#places) return false;
    this.#entries.set(key, { again, said: now });
    this.#order.push(key);
    return true;
  }

  /** Takes out the first. */
  take(): ((now: Instant) => void) | undefined {
    const key = this.#order[this.#first];
    const entry = key === undefined ? undefined : this.#entries.get(key);
    if (key === undefined || entry === undefined) return undefined;
    this.#entries.delete(key);
    this.#first++;
    if (this.#first * 2 > this.#order.length) {
      this.#order = this.#order.slice(this.#first);
      this.#first = 0;
    }
    return entry.again;
  }

  /** Takes out those in front that have gone, and says how many. */
  sweep(now: Instant): number {
    let gone = 0;
    for (let first = this.#head(); first !== undefined && now - first.said > this.#patience; first = this.#head()) {
      this.take();
      gone++;
    }
    return gone;
  }

  #head(): Entry | undefined {
    const key = this.#order[this.#first];
    return key === undefined ? undefined : this.#entries.get(key);
  }
}
