import { InvalidInput } from "../lib/errors.ts";
import { Generation } from "./generation.ts";
import { AddressTable, type InstanceAddresses } from "./instance-addresses.ts";
import { NameHash } from "./name-hash.ts";
import type { NameStatesWriter } from "./name-states.ts";
import { type LiveNames, NO_NAME, NON_TERMINAL, type SharedZone } from "./shared-zone.ts";
import { ZoneFeed } from "./zone-feed.ts";

/** Options of {@link ZoneTable}. */
export interface ZoneTableOptions {
  /** The zone's name, such as `bs.example.com`. */
  readonly zone: string;
  /** 16 random bytes; they key the hash of names, so that nobody outside can aim at one place of the table. */
  readonly seed: Uint8Array;
  /** Whether registries elsewhere follow the table by its feed. A name then costs 27 bytes more. */
  readonly followed?: boolean;
  /** 16 secret bytes that stay the same over restarts; they make the addresses of names within instances' prefixes. */
  readonly addressKey?: Uint8Array;
  /** Whether other threads read it: names then lie in shared memory. */
  readonly shared?: boolean;
}

/**
 * What is live: name -> instance index -> addresses. A name costs 27 bytes, moving all names of an instance is one write
 * of its addresses, and an epoch's names come in and go with one assignment.
 */
export class ZoneTable implements LiveNames {
  readonly zone: string;
  readonly addresses: AddressTable;
  /** Which names changed; only where the table is followed. */
  readonly feed: ZoneFeed | undefined;
  readonly #hash: NameHash;
  readonly #options: ZoneTableOptions;
  /** Told of what other threads have to know. */
  readonly #followers: Set<(zone: SharedZone) => void> = new Set();
  /** What was last said of each instance. */
  readonly #reached: Map<number, string> = new Map();
  /** Published ones, newest first. */
  #generations: readonly Generation[] = [];

  /** @throws InvalidInput for a zone that is no DNS name, or a seed or key that has not 16 bytes */
  constructor(options: ZoneTableOptions) {
    this.zone = options.zone.toLowerCase();
    this.addresses = new AddressTable(options.addressKey);
    this.#hash = new NameHash(options.zone, options.seed);
    this.#options = options;
    if (options.followed !== true) return;
    const published = (): readonly Generation[] => this.#generations;
    this.feed = new ZoneFeed({
      get published() {
        return published().flatMap(({ words }) => words ?? []);
      },
      describe: (name, length, states) => this.#describe(name, length, states),
    });
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
    return new Generation(id, expectedNames, this.#hash, this.feed, this.#options.shared ? () => this.#tell() : undefined);
  }

  /** Makes a generation's names live, all at one instant. It takes the place of one with the same id, if there is one. */
  publish(generation: Generation): void {
    const replaced = this.#generations.find(({ id }) => id === generation.id);
    this.#generations =
      replaced === undefined
        ? [generation, ...this.#generations]
        : this.#generations.map((old) => (old === replaced ? generation : old));
    if (replaced !== generation) replaced?.markPublished(false);
    generation.markPublished(true);
    this.#tell();
  }

  /** Takes a generation's names out, all at one instant. An unknown id is no fault. */
  withdraw(id: number): void {
    const withdrawn = this.#generations.find((generation) => generation.id === id);
    this.#generations = this.#generations.filter((generation) => generation !== withdrawn);
    withdrawn?.markPublished(false);
    this.#tell();
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
    const reached = JSON.stringify(addresses ?? null);
    if (this.#reached.get(instance) === reached) return;
    this.#reached.set(instance, reached);
    this.#tell();
    if (this.namesOf(instance) > 0) this.feed?.noteAll();
  }

  /** Calls a follower with what other threads read, now and whenever that changes. @returns ends it */
  share(follower: (zone: SharedZone) => void): () => void {
    this.#followers.add(follower);
    follower(this.sharedNow());
    return () => this.#followers.delete(follower);
  }

  #tell(): void {
    if (this.#followers.size === 0) return;
    const zone = this.sharedNow();
    for (const follower of this.#followers) follower(zone);
  }

  /** What other threads read, as it is now. */
  sharedNow(): SharedZone {
    const { seed, addressKey } = this.#options;
    const instances = [...this.#reached].map(
      ([instance, reached]) => [instance, (JSON.parse(reached) as InstanceAddresses | null) ?? undefined] as const,
    );
    return { seed, addressKey, generations: this.#generations.map(({ shared }) => shared), instances };
  }

  #describe(name: Uint8Array, length: number, states: NameStatesWriter): void {
    const instance = this.lookup(name, length);
    if (instance < 0) states.add(name, length, undefined, undefined);
    else states.add(name, length, this.addresses.ipv4(instance), this.addresses.ipv6For(instance, name, length));
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
