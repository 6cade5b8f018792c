/** Share of the slots that names are expected to fill, and the share at which a segment takes no more. */
const EXPECTED_LOAD = 0.6;
const FULL_LOAD = 0.8;
const MIN_SLOTS = 64;
/** Words of a slot: three of the hash, one for the value. */
const WORDS = 4;
const VALUE = 3;

/**
 * A map from 96-bit hashes to positive numbers in 16 bytes a slot: open addressing over one typed array, so that
 * millions of names cost no objects. It grows by another segment, never by a copy: no call is long.
 * A hash of 96 bits from a secret key stands for the name itself: among 10^7 names two are alike with chance 10^-15.
 */
export class HashTable {
  #segments: readonly Segment[];
  /** How many entries there are. */
  size = 0;

  /** @param expected how many entries will come; more are no harm */
  constructor(expected: number) {
    this.#segments = [new Segment(Math.max(MIN_SLOTS, Math.ceil(expected / EXPECTED_LOAD)))];
  }

  /** The value of a hash; 0 when there is none. */
  get(h0: number, h1: number, h2: number): number {
    for (const segment of this.#segments) {
      const slot = segment.find(h0, h1, h2);
      if (slot >= 0) return segment.valueAt(slot);
    }
    return 0;
  }

  /** Sets the value (> 0) of a hash; returns the one it had, or 0. */
  set(h0: number, h1: number, h2: number, value: number): number {
    for (const segment of this.#segments) {
      const slot = segment.find(h0, h1, h2);
      if (slot >= 0) return segment.replace(slot, value);
    }
    this.#withRoom().insert(h0, h1, h2, value);
    this.size++;
    return 0;
  }

  /** Takes a hash out; returns the value it had, or 0. */
  delete(h0: number, h1: number, h2: number): number {
    for (const segment of this.#segments) {
      const slot = segment.find(h0, h1, h2);
      if (slot < 0) continue;
      this.size--;
      return segment.remove(slot);
    }
    return 0;
  }

  /** A segment that takes one more; if all are full, a new one as large as all before, so that there are few. */
  #withRoom(): Segment {
    for (const segment of this.#segments) if (!segment.full) return segment;
    const slots = this.#segments.reduce((sum, segment) => sum + segment.slots, 0);
    const added = new Segment(slots);
    this.#segments = [...this.#segments, added];
    return added;
  }
}

/** Linear probing. A removal moves the entries behind it up, so that there are no tombstones to wade through. */
class Segment {
  readonly slots: number;
  readonly #words: Int32Array;
  readonly #end: number;
  readonly #limit: number;
  #used = 0;

  constructor(slots: number) {
    this.slots = slots;
    this.#words = new Int32Array(slots * WORDS);
    this.#end = slots * WORDS;
    this.#limit = Math.floor(slots * FULL_LOAD);
  }

  get full(): boolean {
    return this.#used >= this.#limit;
  }

  /** Index of the entry's first word, or -1. */
  find(h0: number, h1: number, h2: number): number {
    const words = this.#words;
    let at = this.#home(h0);
    while (words[at + VALUE] !== 0) {
      if (words[at] === h0 && words[at + 1] === h1 && words[at + 2] === h2) return at;
      at += WORDS;
      if (at === this.#end) at = 0;
    }
    return -1;
  }

  valueAt(at: number): number {
    return this.#words[at + VALUE] as number;
  }

  replace(at: number, value: number): number {
    const previous = this.valueAt(at);
    this.#words[at + VALUE] = value;
    return previous;
  }

  insert(h0: number, h1: number, h2: number, value: number): void {
    const words = this.#words;
    let at = this.#home(h0);
    while (words[at + VALUE] !== 0) at = this.#next(at);
    words[at] = h0;
    words[at + 1] = h1;
    words[at + 2] = h2;
    words[at + VALUE] = value;
    this.#used++;
  }

  remove(found: number): number {
    const words = this.#words;
    const previous = this.valueAt(found);
    let hole = found;
    for (let at = this.#next(hole); words[at + VALUE] !== 0; at = this.#next(at)) {
      // An entry may move up into the hole unless its home lies behind the hole.
      const home = this.#home(words[at] as number);
      if (this.#distance(home, at) < this.#distance(hole, at)) continue;
      for (let word = 0; word < WORDS; word++) words[hole + word] = words[at + word] as number;
      hole = at;
    }
    words[hole + VALUE] = 0;
    this.#used--;
    return previous;
  }

  /** Where the search for a hash begins: its first word scaled to the number of slots. */
  #home(h0: number): number {
    return Math.floor(((h0 >>> 0) / 0x1_0000_0000) * this.slots) * WORDS;
  }

  #next(at: number): number {
    return at + WORDS === this.#end ? 0 : at + WORDS;
  }

  #distance(from: number, to: number): number {
    return to >= from ? to - from : to - from + this.#end;
  }
}
