import { Chaskey } from "./chaskey.ts";
import { readShared } from "./hash-table.ts";
import { AddressTable, type InstanceAddresses } from "./instance-addresses.ts";

/** What is live, for another thread: the names in shared memory, the rest as it is now. It can be posted to a thread. */
export interface SharedZone {
  /** Keys of names' hashes and of addresses within prefixes, as the zone table has them. */
  readonly seed: Uint8Array;
  readonly addressKey: Uint8Array | undefined;
  /** Published ones, newest first. */
  readonly generations: readonly SharedGeneration[];
  readonly instances: readonly (readonly [instance: number, addresses: InstanceAddresses | undefined])[];
}

/** The names of one generation, and those that exist only because names below them do. */
export interface SharedGeneration {
  readonly names: readonly Int32Array[];
  readonly nonTerminals: readonly Int32Array[];
}

/** What is live as a nameserver asks for it: a `ZoneTable`, or its likeness in another thread. */
export interface LiveNames {
  readonly addresses: AddressTable;
  /**
   * @param name relative to the zone, wire form, lower case, without the root's zero; `length` bytes of it
   * @returns an instance index, or what `ZoneTable.lookup` says of a name that no instance has
   */
  lookup(name: Uint8Array, length: number): number;
}

/** What {@link LiveNames.lookup} says of a name that no instance has. */
export const NO_NAME = -1;
/** What {@link LiveNames.lookup} says of a name that exists only because there are names below it. */
export const NON_TERMINAL = -2;

/** Reads a zone table out of the memory it shares, in another thread. A name that is live is found whatever else changes. */
export class SharedNames implements LiveNames {
  readonly addresses: AddressTable;
  readonly #hash: Chaskey;
  #generations: readonly SharedGeneration[] = [];

  constructor(zone: SharedZone) {
    this.addresses = new AddressTable(zone.addressKey);
    this.#hash = new Chaskey(zone.seed);
    this.follow(zone);
  }

  /** Takes over what the table's thread has posted. */
  follow({ generations, instances }: SharedZone): void {
    for (const [instance, addresses] of instances) this.addresses.set(instance, addresses);
    this.#generations = generations;
  }

  lookup(name: Uint8Array, length: number): number {
    this.#hash.hash(name, 0, length);
    for (const { names } of this.#generations) {
      const value = this.#find(names);
      if (value > 0) return value - 1;
    }
    for (const { nonTerminals } of this.#generations) if (this.#find(nonTerminals) > 0) return NON_TERMINAL;
    return NO_NAME;
  }

  #find(tables: readonly Int32Array[]): number {
    const { h0, h1, h2 } = this.#hash;
    for (const words of tables) {
      const value = readShared(words, h0, h1, h2);
      if (value > 0) return value;
    }
    return 0;
  }
}
