import { InvalidInput } from "../lib/errors.ts";
import { Generation } from "./generation.ts";
import { AddressTable, type InstanceAddresses } from "./instance-addresses.ts";
import { NameHash } from "./name-hash.ts";

/** Options of {@link ZoneTable}. */
export interface ZoneTableOptions {
  /** The zone's name, such as `bs.example.com`. */
  readonly zone: string;
  /** 16 random bytes; they key the hash of names, so that nobody outside can aim at one place of the table. */
  readonly seed: Uint8Array;
  /** 16 secret bytes that stay the same over restarts; they make the addresses of names within instances' prefixes. */
  readonly addressKey?: Uint8Array;
}

/** What {@link ZoneTable.lookup} says of a name that no instance has. */
export const NO_NAME = -1;
/** What {@link ZoneTable.lookup} says of a name that exists only because there are names below it. */
export const NON_TERMINAL = -2;

/**
 * What is live: name -> instance index -> addresses. A name costs 27 bytes, moving all names of an instance is one write
 * of its addresses, and an epoch's names come in and go with one assignment.
 */
export class ZoneTable {
  readonly zone: string;
  readonly addresses: AddressTable;
  readonly #hash: NameHash;
  /** Published ones, newest first. */
  #generations: readonly Generation[] = [];

  /** @throws InvalidInput for a zone that is no DNS name, or a seed or key that has not 16 bytes */
  constructor(options: ZoneTableOptions) {
    this.zone = options.zone.toLowerCase();
    this.addresses = new AddressTable(options.addressKey);
    this.#hash = new NameHash(options.zone, options.seed);
  }

  /** How many names are live, over all published generations. */
  get size(): number {
    return this.#generations.reduce((sum, generation) => sum + generation.size, 0);
  }

  /** The published generations' ids, newest first. */
  get generations(): readonly number[] {
    return this.#generations.map((generation) => generation.id);
  }

  /** How many live names are an instance's, over all published generations. */
  namesOf(instance: number): number {
    return this.#generations.reduce((sum, generation) => sum + generation.namesOf(instance), 0);
  }

  /**
   * Begins a generation, to be filled with `add` in slices, then published. A name costs 0.7 us, and up to
   * 40 us while the system hands out fresh memory: cut slices by time, or at 50 names, to stay well below 5 ms.
   * @param expectedNames memory is laid out for so many at once; if more come, it grows without a pause
   */
  beginGeneration(id: number, expectedNames: number): Generation {
    return new Generation(id, expectedNames, this.#hash);
  }

  /** Makes a generation's names live, all at one instant. It takes the place of one with the same id, if there is one. */
  publish(generation: Generation): void {
    const replaces = this.#generations.some(({ id }) => id === generation.id);
    this.#generations = replaces
      ? this.#generations.map((old) => (old.id === generation.id ? generation : old))
      : [generation, ...this.#generations];
  }

  /** Takes a generation's names out, all at one instant. An unknown id is no fault. */
  withdraw(id: number): void {
    this.#generations = this.#generations.filter((generation) => generation.id !== id);
  }

  /** Sets one host's instance in a published generation; returns the one it had. @throws InvalidInput */
  set(id: number, host: string, instance: number): number | undefined {
    return this.#published(id).add(host, instance);
  }

  /** Takes one host out of a published generation; returns the instance it had. @throws InvalidInput */
  delete(id: number, host: string): number | undefined {
    return this.#published(id).delete(host);
  }

  /** The instance a host leads to, of the newest generation that has it. @throws InvalidInput if it is no name of the zone */
  get(host: string): number | undefined {
    this.#hash.ofHost(host);
    const instance = this.#findHashed();
    return instance < 0 ? undefined : instance;
  }

  /**
   * The same for a name from a query: relative to the zone, wire form, lower case, without the root's zero.
   * @returns an instance index, {@link NO_NAME} or {@link NON_TERMINAL}
   */
  lookup(name: Uint8Array, length: number): number {
    this.#hash.ofWire(name, length);
    return this.#findHashed();
  }

  /** Says where an instance is reached; all its names follow. `undefined`: it has no address, its names are not live. */
  setInstance(instance: number, addresses: InstanceAddresses | undefined): void {
    this.addresses.set(instance, addresses);
  }

  #findHashed(): number {
    for (const generation of this.#generations) {
      const instance = generation.findHashed();
      if (instance >= 0) return instance;
    }
    for (const generation of this.#generations) if (generation.hasBelowHashed()) return NON_TERMINAL;
    return NO_NAME;
  }

  #published(id: number): Generation {
    const generation = this.#generations.find((candidate) => candidate.id === id);
    if (generation === undefined) throw new InvalidInput(`no generation ${id} is published`);
    return generation;
  }
}
