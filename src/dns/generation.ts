import { InvalidInput } from "../lib/errors.ts";
import { HashTable } from "./hash-table.ts";
import type { NameHash } from "./name-hash.ts";
import { NameTable } from "./name-table.ts";
import type { SharedGeneration } from "./shared-zone.ts";
import type { ZoneFeed } from "./zone-feed.ts";

/** Instances are numbered from 0 to one less than this. */
export const MAX_INSTANCES = 0x1_0000;

/**
 * The live names of one epoch, each with the index of its instance. It is filled in slices while the generations
 * before it answer, and is seen by look-ups once the table publishes it. Made by `ZoneTable.beginGeneration`.
 */
export class Generation {
  readonly id: number;
  readonly #hash: NameHash;
  /** Name -> instance index + 1. */
  readonly #names: HashTable;
  /** The same names in words, for registries elsewhere; absent where none follows. */
  readonly words: NameTable | undefined;
  /** Told of each name that changes once they are published. */
  readonly #feed: ZoneFeed | undefined;
  #published = false;
  /** Names that exist only because names below them do -> how many. Absent while every name has one label. */
  #nonTerminals: HashTable | undefined;
  #perInstance = new Uint32Array(16);
  readonly #grown: (() => void) | undefined;

  /** @param grown given if other threads read it: called when {@link Generation.shared} is more than before */
  constructor(id: number, expectedNames: number, hash: NameHash, feed?: ZoneFeed, grown?: () => void) {
    this.id = id;
    this.#hash = hash;
    this.#grown = grown;
    this.#names = new HashTable(expectedNames, grown);
    this.#feed = feed;
    this.words = feed === undefined ? undefined : new NameTable(0, expectedNames);
  }

  /** How many names it holds. */
  get size(): number {
    return this.#names.size;
  }

  /** Its memory, for other threads. */
  get shared(): SharedGeneration {
    return { names: this.#names.memory, nonTerminals: this.#nonTerminals?.memory ?? [] };
  }

  /** How many of its names are an instance's. */
  namesOf(instance: number): number {
    return this.#perInstance[instance] ?? 0;
  }

  /**
   * Sets a host's instance. Returns the instance that it had: then it was moved, or two devices share the name.
   * @param host the whole host name, any case
   * @throws InvalidInput if it is no name of the zone (the name itself is not repeated), or for an impossible index
   */
  add(host: string, instance: number): number | undefined {
    this.#hash.ofHost(host);
    return this.#set(instance);
  }

  /** The same for ASCII bytes of the whole host name in a caller's array. @throws InvalidInput */
  addBytes(bytes: Uint8Array, offset: number, length: number, instance: number): number | undefined {
    this.#hash.ofAscii(bytes, offset, length);
    return this.#set(instance);
  }

  /** Takes a host out. Returns the instance that it had, or undefined if it was not there. @throws InvalidInput */
  delete(host: string): number | undefined {
    const hash = this.#hash;
    hash.ofHost(host);
    const previous = this.#names.delete(hash.h0, hash.h1, hash.h2);
    if (previous === 0) return undefined;
    this.words?.remove(hash.name, hash.length);
    this.#note();
    this.#count(previous - 1, -1);
    hash.forEachAncestor(() => this.#countBelow(-1));
    return previous - 1;
  }

  /** The instance of the name that was hashed last, or -1. */
  findHashed(): number {
    return this.#names.get(this.#hash.h0, this.#hash.h1, this.#hash.h2) - 1;
  }

  /** Whether names exist below the name that was hashed last. */
  hasBelowHashed(): boolean {
    return this.#nonTerminals !== undefined && this.#nonTerminals.get(this.#hash.h0, this.#hash.h1, this.#hash.h2) > 0;
  }

  /** Its names, all at once, are live now, or are not any more. */
  markPublished(published: boolean): void {
    this.#published = published;
    if (this.words !== undefined) this.#feed?.noteWhole(this.words);
  }

  #note(): void {
    if (this.#published) this.#feed?.note(this.#hash.name, this.#hash.length);
  }

  #set(instance: number): number | undefined {
    if (!(Number.isInteger(instance) && instance >= 0 && instance < MAX_INSTANCES)) {
      throw new InvalidInput(`an instance index is a whole number from 0 to ${MAX_INSTANCES - 1}, got ${instance}`);
    }
    const hash = this.#hash;
    const previous = this.#names.set(hash.h0, hash.h1, hash.h2, instance + 1);
    this.#count(instance, 1);
    if (previous !== instance + 1) this.#note();
    if (previous !== 0) {
      this.#count(previous - 1, -1);
      return previous - 1;
    }
    this.words?.insert(hash.name, hash.length);
    hash.forEachAncestor(() => this.#countBelow(1));
    return undefined;
  }

  #count(instance: number, change: number): void {
    if (instance >= this.#perInstance.length) {
      const grown = new Uint32Array(Math.min(MAX_INSTANCES, 2 * (instance + 1)));
      grown.set(this.#perInstance);
      this.#perInstance = grown;
    }
    this.#perInstance[instance] = this.namesOf(instance) + change;
  }

  #countBelow(change: number): void {
    const { h0, h1, h2 } = this.#hash;
    if (this.#nonTerminals === undefined) {
      this.#nonTerminals = new HashTable(0, this.#grown);
      this.#grown?.();
    }
    const count = this.#nonTerminals.get(h0, h1, h2) + change;
    if (count > 0) this.#nonTerminals.set(h0, h1, h2, count);
    else this.#nonTerminals.delete(h0, h1, h2);
  }
}
