/** Share of the slots that may be taken before the table is laid out anew. */
const FULL = 0.7;
const MIN_SLOTS = 1024;
const CHUNK = 1 << 20;
/** Bytes of an entry in front of what its owner keeps: whether it is taken, and the name's length. */
const HEAD = 2;
const TAKEN_AT = 0;
const LENGTH_AT = 1;

/**
 * Names with a few bytes of their owner's each, millions of them in a few typed arrays. Names are relative to a zone, in wire
 * form and lower case. An entry stays in its place until it is removed. Growing beyond what was expected pauses for some
 * 100 ms a million names.
 */
export class NameTable {
  /** Bytes that the owner keeps with each name, at `payloadAt`. */
  readonly payload: number;
  /** Per slot: the name's hash, and its entry's place + 1. */
  #slots: Uint32Array;
  readonly #chunks: Uint8Array[] = [];
  /** How far each chunk is filled. */
  readonly #filled: number[] = [];
  #size = 0;
  /** Places of entries that are free again, by the length of their names. */
  readonly #free: Map<number, number[]> = new Map();

  /** @param expected how many names will come; more are no harm */
  constructor(payload: number, expected: number = 0) {
    this.payload = payload;
    this.#slots = new Uint32Array(2 * Math.max(MIN_SLOTS, Math.ceil(expected / FULL)));
  }

  /** How many names there are. */
  get size(): number {
    return this.#size;
  }

  /** Where a name's entry is; -1 if it is not there. */
  find(name: Uint8Array, length: number): number {
    return (this.#slots[this.#slotOf(name, length, hashOf(name, length)) + 1] as number) - 1;
  }

  /** Adds a name that is not there; returns where its entry is. */
  insert(name: Uint8Array, length: number): number {
    if ((this.#size + 1) * 2 > this.#slots.length * FULL) this.#grow();
    const place = this.#free.get(length)?.pop() ?? this.#allocate(length);
    const [chunk, at] = [this.chunkOf(place), place % CHUNK];
    chunk[at + TAKEN_AT] = 1;
    chunk[at + LENGTH_AT] = length;
    const start = at + HEAD + this.payload;
    for (let index = 0; index < length; index++) chunk[start + index] = name[index] as number;
    const hash = hashOf(name, length);
    const slot = this.#slotOf(name, length, hash);
    this.#slots[slot] = hash;
    this.#slots[slot + 1] = place + 1;
    this.#size++;
    return place;
  }

  /** Removes a name; returns whether it was there. */
  remove(name: Uint8Array, length: number): boolean {
    const slots = this.#slots;
    let hole = this.#slotOf(name, length, hashOf(name, length));
    const place = (slots[hole + 1] as number) - 1;
    if (place < 0) return false;
    this.chunkOf(place)[(place % CHUNK) + TAKEN_AT] = 0;
    const places = this.#free.get(length);
    if (places === undefined) this.#free.set(length, [place]);
    else places.push(place);
    // The entries behind move up into the hole, so that there are no tombstones to wade through.
    for (let at = this.#next(hole); slots[at + 1] !== 0; at = this.#next(at)) {
      if (this.#distance(this.#home(slots[at] as number), at) < this.#distance(hole, at)) continue;
      slots[hole] = slots[at] as number;
      slots[hole + 1] = slots[at + 1] as number;
      hole = at;
    }
    slots[hole + 1] = 0;
    this.#size--;
    return true;
  }

  /** The array an entry is in. */
  chunkOf(place: number): Uint8Array {
    return this.#chunks[Math.floor(place / CHUNK)] as Uint8Array;
  }

  /** Where in its array an entry's payload is. */
  payloadAt(place: number): number {
    return (place % CHUNK) + HEAD;
  }

  /** The name of an entry: a view, which holds until the name is removed. */
  name(place: number): Uint8Array {
    const [chunk, at] = [this.chunkOf(place), place % CHUNK];
    const start = at + HEAD + this.payload;
    return chunk.subarray(start, start + (chunk[at + LENGTH_AT] as number));
  }

  /** The places of all names, in no order. Each name that is there all the while is seen once, whatever else changes. */
  *places(): Generator<number> {
    for (let index = 0; index < this.#chunks.length; index++) {
      const chunk = this.#chunks[index] as Uint8Array;
      let at = 0;
      while (at < (this.#filled[index] as number)) {
        if (chunk[at + TAKEN_AT] === 1) yield index * CHUNK + at;
        at += HEAD + this.payload + (chunk[at + LENGTH_AT] as number);
      }
    }
  }

  #allocate(length: number): number {
    const bytes = HEAD + this.payload + length;
    let last = this.#chunks.length - 1;
    if (last < 0 || (this.#filled[last] as number) + bytes > CHUNK) {
      this.#chunks.push(new Uint8Array(CHUNK));
      this.#filled.push(0);
      last++;
    }
    const at = this.#filled[last] as number;
    this.#filled[last] = at + bytes;
    return last * CHUNK + at;
  }

  /** The slot of a name, or the empty one where it would be: linear probing. */
  #slotOf(name: Uint8Array, length: number, hash: number): number {
    const slots = this.#slots;
    let slot = this.#home(hash);
    for (; slots[slot + 1] !== 0; slot = this.#next(slot)) {
      if (slots[slot] === hash && this.#isAt((slots[slot + 1] as number) - 1, name, length)) return slot;
    }
    return slot;
  }

  #isAt(place: number, name: Uint8Array, length: number): boolean {
    const [chunk, at] = [this.chunkOf(place), place % CHUNK];
    if (chunk[at + LENGTH_AT] !== length) return false;
    const start = at + HEAD + this.payload;
    for (let index = 0; index < length; index++) if (chunk[start + index] !== name[index]) return false;
    return true;
  }

  #grow(): void {
    const old = this.#slots;
    this.#slots = new Uint32Array(old.length * 2);
    for (let from = 0; from < old.length; from += 2) {
      if (old[from + 1] === 0) continue;
      let slot = this.#home(old[from] as number);
      while (this.#slots[slot + 1] !== 0) slot = this.#next(slot);
      this.#slots[slot] = old[from] as number;
      this.#slots[slot + 1] = old[from + 1] as number;
    }
  }

  #home(hash: number): number {
    return Math.floor((hash / 0x1_0000_0000) * (this.#slots.length / 2)) * 2;
  }

  #next(slot: number): number {
    return slot + 2 === this.#slots.length ? 0 : slot + 2;
  }

  #distance(from: number, to: number): number {
    return to >= from ? to - from : to - from + this.#slots.length;
  }
}

/** FNV-1a, with its bits mixed once more as the upper ones choose the slot. Names are our own: nobody aims at a slot. */
function hashOf(name: Uint8Array, length: number): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < length; index++) hash = Math.imul(hash ^ (name[index] as number), 0x0100_0193);
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b_3c6d);
  return (hash ^ (hash >>> 13)) >>> 0;
}
