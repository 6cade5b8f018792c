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
  begun: boolean;
  left: number;
}

/** Names in a list, one behind the other: a byte with its length, the name. */
const FIRST_ROOM = 4096;
const MOST_BYTES = 256;
/** More changes than so many times the live names, and some, cost more to remember than it costs to look at all. */
const TIMES = 2;
const AND_SOME = 100_000;
/** Generations that went are remembered as long as they are no more than these. */
const MOST_GONE = 3;

/**
 * Tells which names DNS says something else of than before, so that a registry elsewhere can follow the zone table. It
 * remembers names, not what became of them: whoever takes them gets what is so by then.
 */
export class ZoneFeed {
  readonly #source: FeedSource;
  readonly #states: NameStatesWriter = new NameStatesWriter();
  #list: Uint8Array = new Uint8Array(FIRST_ROOM);
  #begin = 0;
  #end = 0;
  #count = 0;
  /** Generations that came or went whole. */
  #whole: Whole[] = [];
  #overrun = false;
  /** Everything is being taken: nothing of it may be forgotten. */
  #takesAll = false;

  constructor(source: FeedSource) {
    this.#source = source;
  }

  /**
   * Whether more changed than is worth remembering, as while nobody takes anything for hours: then nothing waits here any more,
   * and only {@link all} leads on, for a comparison with what there is.
   */
  get overrun(): boolean {
    return this.#overrun;
  }

  /** How many names are to be looked at, about; one that changed twice counts twice. */
  get pending(): number {
    if (this.#overrun) return Math.max(1, this.#live());
    return this.#whole.reduce((sum, { left }) => sum + left, this.#count);
  }

  /** Whether names of a generation that came or went whole are to be looked at. */
  get hasWhole(): boolean {
    return this.#overrun || this.#whole.length > 0;
  }

  /** A name changed. */
  note(name: Uint8Array, length: number): void {
    if (this.#end + 1 + length > this.#list.length) this.#makeRoom();
    if (this.#overrun) return;
    this.#list[this.#end++] = length;
    for (let index = 0; index < length; index++) this.#list[this.#end++] = name[index] as number;
    this.#count++;
  }

  /** A generation's names came or went, all at once. It may change meanwhile; what does is noted. */
  noteWhole(names: NameTable): void {
    // One that nobody has begun with is seen as it is by then.
    const waits = this.#whole.some((whole) => whole.names === names && !whole.begun);
    if (names.size === 0 || this.#overrun || waits) return;
    this.#whole.push({ names, places: names.places(), begun: false, left: names.size });
    const { published } = this.#source;
    if (this.#whole.filter((whole) => !published.includes(whole.names)).length > MOST_GONE) this.#overran();
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
    while (this.#begin < this.#end && states.count < most) {
      const at = this.#begin;
      const length = this.#list[at] as number;
      this.#source.describe(this.#list.subarray(at + 1, at + 1 + length), length, states);
      this.#begin = at + 1 + length;
    }
    this.#count -= states.count;
    while (states.count < most && this.#whole.length > 0) this.#takeWhole(most);
    return states.count === 0 ? undefined : states.take();
  }

  /** Everything DNS says, packed, about `most` names at a time. What waited is forgotten, as it is among them. */
  *all(most: number): Generator<Uint8Array<ArrayBuffer>> {
    this.#forget();
    this.#overrun = false;
    this.#takesAll = true;
    try {
      this.noteAll();
      for (let states = this.take(most); states !== undefined; states = this.take(most)) yield states;
    } finally {
      this.#takesAll = false;
    }
  }

  #makeRoom(): void {
    if (this.#count > TIMES * this.#live() + AND_SOME) this.#overran();
    const used = this.#list.subarray(this.#begin, this.#end);
    // What is taken leaves its room to what comes; it is not moved together for each.
    const roomy = used.length * 2 < this.#list.length - MOST_BYTES;
    const list = roomy ? this.#list : new Uint8Array(this.#list.length * 2);
    list.set(used);
    this.#list = list;
    this.#begin = 0;
    this.#end = used.length;
  }

  #live(): number {
    return this.#source.published.reduce((sum, { size }) => sum + size, 0);
  }

  #overran(): void {
    if (this.#takesAll) return;
    this.#forget();
    this.#overrun = true;
  }

  #forget(): void {
    this.#list = new Uint8Array(FIRST_ROOM);
    this.#begin = 0;
    this.#end = 0;
    this.#count = 0;
    this.#whole = [];
  }

  #takeWhole(most: number): void {
    const [whole] = this.#whole;
    if (whole === undefined) return;
    whole.begun = true;
    while (this.#states.count < most) {
      const next = whole.places.next();
      if (next.done) {
        this.#whole.shift();
        return;
      }
      // Names may come while it is looked at: before its end it is not done.
      whole.left = Math.max(1, whole.left - 1);
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
