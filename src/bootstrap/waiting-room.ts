import type { Instant, Milliseconds } from "../lib/clock.ts";

interface Entry {
  again(now: Instant): void;
  /** When it came, and when it was said last. */
  readonly came: Instant;
  said: Instant;
}

/** An entry's place in an order; out of date if the entry says another time, or is gone. */
interface Place {
  readonly key: string;
  readonly at: Instant;
}

/** Wait the first longer than that, some of them have given up and come back as others. */
const LONG: Milliseconds = 5000;

/**
 * Datagrams that are taken in later; one of each sender, its latest. Senders are called in the order in which they came.
 * When that takes long, every other is the one who has been heard last, since of the first in line many may have gone: else
 * all would be called when their patience is over. O(1), spread over the calls.
 */
export class WaitingRoom {
  readonly #places: number;
  readonly #patience: Milliseconds;
  readonly #entries: Map<string, Entry> = new Map();
  /** In the order of coming, from `#first` on; a Map would walk over all it has deleted. */
  #line: Place[] = [];
  #first = 0;
  /** In the order of being heard. */
  #heard: Place[] = [];
  #latestNext = false;

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
    if (entry === undefined && this.#entries.size >= this.#places) return false;
    if (entry === undefined) {
      this.#entries.set(key, { again, came: now, said: now });
      this.#line.push({ key, at: now });
    } else {
      entry.again = again;
      entry.said = now;
    }
    this.#heard.push({ key, at: now });
    this.#tidy();
    return true;
  }

  /** Takes out the next. */
  take(now: Instant): ((now: Instant) => void) | undefined {
    const first = this.#head();
    if (first === undefined) return undefined;
    const long = now - first.at > LONG;
    this.#latestNext = long && !this.#latestNext;
    return this.#remove(this.#latestNext ? this.#latest() : first);
  }

  /** Takes out those in front that have gone, and says how many. */
  sweep(now: Instant): number {
    let gone = 0;
    for (let first = this.#head(); first !== undefined; first = this.#head()) {
      if (now - (this.#entries.get(first.key)?.said ?? now) <= this.#patience) break;
      this.#remove(first);
      gone++;
    }
    return gone;
  }

  #remove(place: Place | undefined): ((now: Instant) => void) | undefined {
    const entry = place === undefined ? undefined : this.#entries.get(place.key);
    if (place !== undefined) this.#entries.delete(place.key);
    return entry?.again;
  }

  #head(): Place | undefined {
    for (let place = this.#line[this.#first]; place !== undefined; place = this.#line[++this.#first]) {
      if (this.#entries.get(place.key)?.came === place.at) return place;
    }
    return undefined;
  }

  #latest(): Place | undefined {
    for (let place = this.#heard.pop(); place !== undefined; place = this.#heard.pop()) {
      if (this.#entries.get(place.key)?.said === place.at) return place;
    }
    return undefined;
  }

  /** Gives back the room of places that are out of date, when they are the most. */
  #tidy(): void {
    const most = 2 * this.#entries.size + 1024;
    if (this.#line.length > most) {
      this.#line = this.#line.slice(this.#first).filter(({ key, at }) => this.#entries.get(key)?.came === at);
      this.#first = 0;
    }
    if (this.#heard.length > most) this.#heard = this.#heard.filter(({ key, at }) => this.#entries.get(key)?.said === at);
  }
}
