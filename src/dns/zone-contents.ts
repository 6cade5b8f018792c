import type { NameState } from "./name-states.ts";

/** Share of the slots that may be taken before the table is laid out anew. */
const FULL = 0.7;
const CHUNK = 1 << 20;
/** Bytes of an entry in front of its name: which addresses it has, an IPv4, an IPv6, the name's length. */
const FIXED = 1 + 4 + 16 + 1;
const IPV4_AT = 1;
const IPV6_AT = 5;
const LENGTH_AT = 21;
/** The end of a name needs no more. */
const LARGEST_ENTRY = FIXED + 256;

/**
 * Names with their addresses, millions of them in a few typed arrays: what a registry holds, or is believed to hold. For a
 * thread of its own, as it pauses for some 100 ms where it grows by a million.
 */
export class ZoneContents {
  /** Per slot: the name's hash, and its entry's place + 1. */
  #slots: Uint32Array = new Uint32Array(2 * 1024);
  readonly #chunks: Uint8Array[] = [];
  #end = 0;
  #size = 0;
  /** Places of entries that are free again, by the length of their names. */
  readonly #free: Map<number, number[]> = new Map();

  /** How many names there are. */
  get size(): number {
    return this.#size;
  }

  /** The state of a name; its arrays are views that hold until the next change. */
  get(name: Uint8Array): NameState | undefined {
    const slot = this.#find(name, hashOf(name));
    return this.#slots[slot + 1] === 0 ? undefined : this.#state((this.#slots[slot + 1] as number) - 1);
  }

  /** Whether a name is in this state; for a state without addresses, whether it is absent. */
  has({ name, ipv4, ipv6 }: NameState): boolean {
    const state = this.get(name);
    return sameBytes(state?.ipv4, ipv4) && sameBytes(state?.ipv6, ipv6);
  }

  /** Brings a name into a state. Returns what that was. */
  set({ name, ipv4, ipv6 }: NameState): "added" | "changed" | "removed" | "same" {
    const hash = hashOf(name);
    const slot = this.#find(name, hash);
    const place = (this.#slots[slot + 1] as number) - 1;
    if (ipv4 === undefined && ipv6 === undefined) {
      if (place < 0) return "same";
      this.#remove(slot, place, name.length);
      return "removed";
    }
    if (place < 0) {
      this.#insert(name, hash, ipv4, ipv6);
      return "added";
    }
    const before = this.#state(place);
    if (sameBytes(before.ipv4, ipv4) && sameBytes(before.ipv6, ipv6)) return "same";
    this.#write(place, ipv4, ipv6);
    return "changed";
  }

  /** All names, in no order. What changes meanwhile may be seen or not. */
  *entries(): Generator<NameState> {
    for (let slot = 1; slot < this.#slots.length; slot += 2) {
      const place = this.#slots[slot] as number;
      if (place !== 0) yield this.#state(place - 1);
    }
  }

  #state(place: number): NameState {
    const chunk = this.#chunks[Math.floor(place / CHUNK)] as Uint8Array;
    const at = place % CHUNK;
    const families = chunk[at] as number;
    const start = at + FIXED;
    return {
      name: chunk.subarray(start, start + (chunk[at + LENGTH_AT] as number)),
      ipv4: (families & 1) === 0 ? undefined : chunk.subarray(at + IPV4_AT, at + IPV6_AT),
      ipv6: (families & 2) === 0 ? undefined : chunk.subarray(at + IPV6_AT, at + LENGTH_AT),
    };
  }

  #write(place: number, ipv4: Uint8Array | undefined, ipv6: Uint8Array | undefined): void {
    const chunk = this.#chunks[Math.floor(place / CHUNK)] as Uint8Array;
    const at = place % CHUNK;
    chunk[at] = (ipv4 === undefined ? 0 : 1) | (ipv6 === undefined ? 0 : 2);
    if (ipv4 !== undefined) chunk.set(ipv4, at + IPV4_AT);
    if (ipv6 !== undefined) chunk.set(ipv6, at + IPV6_AT);
  }

  #insert(name: Uint8Array, hash: number, ipv4: Uint8Array | undefined, ipv6: Uint8Array | undefined): void {
    if ((this.#size + 1) * 2 > this.#slots.length * FULL) this.#grow();
    const place = this.#free.get(name.length)?.pop() ?? this.#allocate(name.length);
    const chunk = this.#chunks[Math.floor(place / CHUNK)] as Uint8Array;
    const at = place % CHUNK;
    chunk[at + LENGTH_AT] = name.length;
    chunk.set(name, at + FIXED);
    this.#write(place, ipv4, ipv6);
    const slot = this.#find(name, hash);
    this.#slots[slot] = hash;
    this.#slots[slot + 1] = place + 1;
    this.#size++;
  }

  #allocate(length: number): number {
    if (this.#chunks.length === 0 || (this.#end % CHUNK) + LARGEST_ENTRY > CHUNK) {
      this.#end = this.#chunks.length * CHUNK;
      this.#chunks.push(new Uint8Array(CHUNK));
    }
    const place = this.#end;
    this.#end += FIXED + length;
    return place;
  }

  /** Linear probing; the entries behind move up into the hole, so that there are no tombstones. */
  #remove(found: number, place: number, length: number): void {
    const slots = this.#slots;
    const places = this.#free.get(length);
    if (places === undefined) this.#free.set(length, [place]);
    else places.push(place);
    let hole = found;
    for (let at = this.#next(hole); slots[at + 1] !== 0; at = this.#next(at)) {
      if (this.#distance(this.#home(slots[at] as number), at) < this.#distance(hole, at)) continue;
      slots[hole] = slots[at] as number;
      slots[hole + 1] = slots[at + 1] as number;
      hole = at;
    }
    slots[hole + 1] = 0;
    this.#size--;
  }

  /** The slot of a name, or the empty one where it would be. */
  #find(name: Uint8Array, hash: number): number {
    const slots = this.#slots;
    let slot = this.#home(hash);
    for (; slots[slot + 1] !== 0; slot = this.#next(slot)) {
      if (slots[slot] === hash && this.#isAt((slots[slot + 1] as number) - 1, name)) return slot;
    }
    return slot;
  }

  #isAt(place: number, name: Uint8Array): boolean {
    const chunk = this.#chunks[Math.floor(place / CHUNK)] as Uint8Array;
    const at = place % CHUNK;
    if (chunk[at + LENGTH_AT] !== name.length) return false;
    for (let index = 0; index < name.length; index++) if (chunk[at + FIXED + index] !== name[index]) return false;
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
function hashOf(name: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < name.length; index++) hash = Math.imul(hash ^ (name[index] as number), 0x0100_0193);
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b_3c6d);
  return (hash ^ (hash >>> 13)) >>> 0;
}

function sameBytes(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  for (let index = 0; index < a.length; index++) if (a[index] !== b[index]) return false;
  return true;
}
