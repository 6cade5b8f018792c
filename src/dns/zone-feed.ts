import { type NameState, NameStatesWriter, readNameStates } from "./name-states.ts";
import type { NameTable } from "./name-table.ts";

/** What the feed asks of the zone table. */
export interface FeedSource {
  /** The names of all published generations; a name may be in several. */
  readonly published: readonly NameTable[];
  /** Adds what DNS says now of a name, relative to the zone, to `states`. */
  describe(name: Uint8Array, length: number, states: NameStatesWriter): void;
}

/** Names that are all to be looked at again, as far as they were not yet. */
interface Whole {
  readonly names: NameTable;
  readonly places: Generator<number>;
  left: number;
}

/** Names in a list, one behind the other: a byte with its length, the name. */
const FIRST_ROOM = 4096;

/**
 * Tells which names DNS says something else of than before, so that a registry elsewhere can follow the zone table. It
 * remembers names, not what became of them: whoever takes them gets what is so by then.
 */
export class ZoneFeed {
  readonly #source: FeedSource;
  readonly #states: NameStatesWriter = new NameStatesWriter();
  #list: Uint8Array = new Uint8Array(FIRST_ROOM);
  #end = 0;
  #count = 0;
  /** Generations that came or went whole. */
  #whole: Whole[] = [];

  constructor(source: FeedSource) {
    this.#source = source;
  }

  /** How many names are to be looked at; one that changed twice counts twice. */
  get pending(): number {
    return this.#whole.reduce((sum, { left }) => sum + left, this.#count);
  }

  /** A name changed. If more of these wait than there are names, all are looked at instead. */
  note(name: Uint8Array, length: number): void {
    if (this.#end + 1 + length > this.#list.length) {
      const grown = new Uint8Array(this.#list.length * 2);
      grown.set(this.#list);
      this.#list = grown;
    }
    this.#list[this.#end++] = length;
    for (let index = 0; index < length; index++) this.#list[this.#end++] = name[index] as number;
    this.#count++;
  }

  /** A generation's names came or went, all at once. It may change meanwhile; what does is noted. */
  noteWhole(names: NameTable): void {
    if (names.size > 0) this.#whole.push({ names, places: names.places(), left: names.size });
  }

  /** Any published name may have changed. */
  noteAll(): void {
    for (const names of this.#source.published) this.noteWhole(names);
  }

  /** What was taken could not be passed on: its names are noted again. */
  putBack(states: Uint8Array): void {
    for (const { name } of readNameStates(states)) this.note(name, name.length);
  }

  /**
   * Takes about `most` names with what DNS says of them now, packed; those that changed one by one first, in their order.
   * Undefined when none is left.
   */
  take(most: number): Uint8Array<ArrayBuffer> | undefined {
    const states = this.#states;
    let at = 0;
    for (; at < this.#end && states.count < most; at += 1 + (this.#list[at] as number)) {
      const length = this.#list[at] as number;
      this.#source.describe(this.#list.subarray(at + 1, at + 1 + length), length, states);
    }
    this.#count -= states.count;
    this.#list.copyWithin(0, at, this.#end);
    this.#end -= at;
    while (states.count < most && this.#whole.length > 0) this.#takeWhole(most);
    return states.count === 0 ? undefined : states.take();
  }

  /** Everything DNS says, packed, about `most` names at a time. What waited is forgotten, as it is among them. */
  *all(most: number): Generator<Uint8Array<ArrayBuffer>> {
    this.#end = 0;
    this.#count = 0;
    this.#whole = [];
    this.noteAll();
    for (let states = this.take(most); states !== undefined; states = this.take(most)) yield states;
  }

  #takeWhole(most: number): void {
    const [whole] = this.#whole;
    if (whole === undefined) return;
    while (this.#states.count < most) {
      const next = whole.places.next();
      if (next.done) {
        this.#whole.shift();
        return;
      }
      whole.left = Math.max(0, whole.left - 1);
      const name = whole.names.name(next.value);
      this.#source.describe(name, name.length, this.#states);
    }
  }
}

/** Some of the names of packed states that DNS has, and of those that it has not, to be looked for at servers. */
export function sampleStates(states: Uint8Array, most: number): NameState[] {
  const samples: NameState[] = [];
  let [seen, wanted] = [0, 1];
  for (const { name, ipv4, ipv6 } of readNameStates(states)) {
    // The first, and later ones at growing distances.
    if (++seen < wanted || samples.length >= most) continue;
    wanted *= 3;
    samples.push({ name: name.slice(), ipv4: ipv4?.slice(), ipv6: ipv6?.slice() });
  }
  return samples;
}
