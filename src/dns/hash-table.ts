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

  readonly #grown: (() => void) | undefined;

  /**
   * @param expected how many entries will come; more are no harm
   * @param grown given if other threads read it: called when {@link HashTable.memory} is more than before
   */
  constructor(expected: number, grown?: () => void) {
    this.#grown = grown;
    this.#segments = [this.#newSegment(Math.max(MIN_SLOTS, Math.ceil(expected / EXPECTED_LOAD)))];
  }

  /** What other threads read with {@link readShared}, each by itself. */
  get memory(): readonly Int32Array[] {
    return this.#segments.map((segment) => segment.words);
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
    const added = this.#newSegment(slots);
    this.#segments = [...this.#segments, added];
    this.#grown?.();
    return added;
  }

  #newSegment(slots: number): Segment {
    return new Segment(slots, this.#grown !== undefined);
  }
}

/** Tries to read between two changes before a reader waits for the writer, in ms: it may have lost its processor in the middle. */
const TRIES = 1000;
const WRITER_TAKES = 1;

/**
 * Reads one of a table's arrays of shared memory in another thread than its writer's. A removal moves entries, so the writer
 * counts up before and after each change, and what was read across a change is read again: an entry is never overlooked.
 * @returns its value; 0 when there is none
 */
export function readShared(words: Int32Array, h0: number, h1: number, h2: number): number {
  const end = words.length - 1;
  const home = homeOf(h0, end / WORDS);
  for (let tries = 0; ; tries++) {
    const before = Atomics.load(words, end);
    if ((before & 1) === 0) {
      const value = search(words, end, home, h0, h1, h2);
      if (Atomics.load(words, end) === before) return value;
    } else if (tries > TRIES) Atomics.wait(words, end, before, WRITER_TAKES);
  }
}

/** Each load is atomic: so a processor takes none of them before the one that goes before it. */
function search(words: Int32Array, end: number, home: number, h0: number, h1: number, h2: number): number {
  let at = home;
  // Half a change could look like a ring without an end.
  for (let steps = end; steps > 0; steps -= WORDS) {
    const value = Atomics.load(words, at + VALUE);
    if (value === 0) return 0;
    if (Atomics.load(words, at) === h0 && Atomics.load(words, at + 1) === h1 && Atomics.load(words, at + 2) === h2) return value;
    at = at + WORDS === end ? 0 : at + WORDS;
  }
  return 0;
}

/** Where the search for a hash begins: its first word scaled to the number of slots. */
function homeOf(h0: number, slots: number): number {
  return Math.floor(((h0 >>> 0) / 0x1_0000_0000) * slots) * WORDS;
}

/**
 * Linear probing. A removal moves the entries behind it up, so that there are no tombstones to wade through. Shared memory has
 * one word more at its end, which is odd while something is being changed.
 */
class Segment {
  readonly slots: number;
  readonly words: Int32Array;
  readonly #shared: boolean;
  readonly #end: number;
  readonly #limit: number;
  #used = 0;

  constructor(slots: number, shared: boolean) {
    this.slots = slots;
    this.#shared = shared;
    this.words = shared ? new Int32Array(new SharedArrayBuffer(4 * (slots * WORDS + 1))) : new Int32Array(slots * WORDS);
    this.#end = slots * WORDS;
    this.#limit = Math.floor(slots * FULL_LOAD);
  }

  get full(): boolean {
    return this.#used >= this.#limit;
  }

  /** Index of the entry's first word, or -1. */
  find(h0: number, h1: number, h2: number): number {
    const words = this.words;
    let at = homeOf(h0, this.slots);
    while (words[at + VALUE] !== 0) {
      if (words[at] === h0 && words[at + 1] === h1 && words[at + 2] === h2) return at;
      at += WORDS;
      if (at === this.#end) at = 0;
    }
    return -1;
  }

  valueAt(at: number): number {
    return this.words[at + VALUE] as number;
  }

  replace(at: number, value: number): number {
    const previous = this.valueAt(at);
    this.#put(at + VALUE, value);
    return previous;
  }

  insert(h0: number, h1: number, h2: number, value: number): void {
    const words = this.words;
    let at = homeOf(h0, this.slots);
    while (words[at + VALUE] !== 0) at = this.#next(at);
    this.#put(at, h0);
    this.#put(at + 1, h1);
    this.#put(at + 2, h2);
    // Last: until then nobody looks at the rest.
    this.#put(at + VALUE, value);
    this.#used++;
  }

  remove(found: number): number {
    const words = this.words;
    const previous = this.valueAt(found);
    if (this.#shared) Atomics.add(words, this.#end, 1);
    let hole = found;
    for (let at = this.#next(hole); words[at + VALUE] !== 0; at = this.#next(at)) {
      // An entry may move up into the hole unless its home lies behind the hole.
      const home = homeOf(words[at] as number, this.slots);
      if (this.#distance(home, at) < this.#distance(hole, at)) continue;
      for (let word = 0; word < WORDS; word++) this.#put(hole + word, words[at + word] as number);
      hole = at;
    }
    this.#put(hole + VALUE, 0);
    if (this.#shared) Atomics.add(words, this.#end, 1);
    this.#used--;
    return previous;
  }

  #put(at: number, word: number): void {
    if (this.#shared) Atomics.store(this.words, at, word);
    else this.words[at] = word;
  }

  #next(at: number): number {
    return at + WORDS === this.#end ? 0 : at + WORDS;
  }

  #distance(from: number, to: number): number {
    return to >= from ? to - from : to - from + this.#end;
  }
}
