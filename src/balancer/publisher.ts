import type { ZoneTable } from "../dns/index.ts";
import { errorText } from "../lib/errors.ts";
import type { Logger } from "../lib/log.ts";
import type { Namer, Step } from "../naming/index.ts";
import { lowestLive } from "./counting.ts";
import type { Device } from "./device.ts";
import { NOWHERE } from "./device.ts";
import { HeldNames } from "./held-names.ts";
import { NameKeys } from "./name-keys.ts";
import { NAME_WORK, Slices } from "./slices.ts";

/** The generation of names that outlive their epoch, as their device is in progress (B7). */
const KEPT = 0;

/**
 * The names of one step, in DNS or on their way into it. Where names are made of a counter, that of the step says how far
 * beyond each device's lowest live one it is.
 */
interface LiveStep {
  readonly step: Step;
  readonly names: HeldNames;
  /** Per device row 1 if the device holds its name of this step, else 0. */
  held: Uint8Array;
}

/** What the publisher needs of its surroundings. */
export interface PublisherOptions {
  readonly table: ZoneTable;
  readonly namer: Namer;
  /** Whether names may point at the instance. */
  readonly usable: (instance: number) => boolean;
  readonly breathe: () => Promise<void>;
  readonly log: Logger;
}

/**
 * Keeps DNS saying what the balancer decided: which devices have names, in which steps, at which instance. Names are
 * derived when they are needed and never kept; what is kept is a key, and a mark per device and step.
 */
export class Publisher {
  readonly #options: PublisherOptions;
  readonly #keys: NameKeys;
  readonly #live: Map<string, LiveStep> = new Map();
  readonly #kept: HeldNames;
  readonly #keptOf: Map<Device, readonly string[]> = new Map();
  #lastGeneration: number = KEPT;

  constructor(options: PublisherOptions) {
    const { table, namer, usable } = options;
    this.#options = options;
    this.#keys = new NameKeys(namer.keyLength ?? 32);
    this.#kept = new HeldNames(table.beginGeneration(KEPT, 64), usable);
    table.publish(this.#kept.generation);
  }

  /**
   * What to keep of a device's secret, to derive its names from.
   * @param step any one; a name is made of it to see that one can be
   * @throws WeakSecret, NameInvalid and other errors of `naming/` if the device cannot be named
   */
  keyFor(endpoint: string, secret: Uint8Array, step: Step): Uint8Array {
    const key = this.#options.namer.nameKey(secret);
    this.#options.namer.host(key, endpoint, step);
    return key;
  }

  /** Takes a device's name key. While it has none it is not named. */
  learn(row: number, key: Uint8Array): void {
    this.#keys.set(row, key);
  }

  /** Forgets a device's key, so that its row is free for another. Its names have to be dropped before. */
  forget(row: number): void {
    this.#keys.delete(row);
  }

  /** The steps whose names are out or on their way. */
  get steps(): readonly Step[] {
    return [...this.#live.values()].map(({ step }) => step);
  }

  /** How many names a step has in DNS. */
  namesIn(step: Step): number {
    return this.#live.get(stepKey(step))?.names.generation.size ?? 0;
  }

  /** How many names of a step lead to the instance. */
  namesOf(step: Step, instance: number): number {
    return this.#live.get(stepKey(step))?.names.generation.namesOf(instance) ?? 0;
  }

  /** How many live names are shared by several devices (N10). */
  get collisions(): number {
    return [...this.#live.values()].reduce((sum, { names }) => sum + names.collisions, 0);
  }

  /**
   * Derives the names of a step for all `devices` and publishes them at one instant; until then the steps before it
   * answer. What changes meanwhile is taken along.
   * @param expected how many names there will be, about
   * @param entitled whether a device is to have a name; asked when its turn comes
   * @returns devices that share their name with one at another instance, and that instance: there they should go
   */
  async bringUp(
    step: Step,
    devices: readonly (Device | undefined)[],
    expected: number,
    entitled: (device: Device) => boolean,
  ): Promise<Map<Device, number>> {
    const { table, usable, breathe } = this.#options;
    const generation = table.beginGeneration(++this.#lastGeneration, expected);
    const live: LiveStep = { step, names: new HeldNames(generation, usable), held: new Uint8Array(devices.length) };
    const strays = new Map<Device, number>();
    const slices = new Slices(breathe);
    this.#live.set(stepKey(step), live);
    for (let row = 0; row < devices.length; row++) {
      if (slices.spend(1)) await slices.rest();
      const device = devices[row];
      if (device === undefined || !entitled(device) || live.held[row] === 1) continue;
      slices.spend(NAME_WORK);
      const instance = this.#hold(live, device);
      if (instance !== device.progress.home) strays.set(device, instance);
    }
    table.publish(generation);
    return strays;
  }

  /** Takes a step's names out of DNS, except those of `inProgress`, which are kept until their session is over (B7). */
  async takeDown(step: Step, inProgress: Iterable<Device>): Promise<void> {
    const live = this.#live.get(stepKey(step));
    if (live === undefined) return;
    const slices = new Slices(this.#options.breathe);
    for (const device of inProgress) {
      if (slices.spend(NAME_WORK)) await slices.rest();
      const host = live.held[device.row] === 1 ? this.#host(device, step) : undefined;
      const kept = this.#keptOf.get(device) ?? [];
      if (host === undefined || kept.includes(host)) continue;
      this.#kept.hold(host, device.progress.home, false);
      this.#keptOf.set(device, [...kept, host]);
    }
    this.#live.delete(stepKey(step));
    this.#options.table.withdraw(live.names.generation.id);
  }

  /**
   * Gives a device its names in all live steps, at its home.
   * @returns where its names point: its home, or the instance of a device it shares a name with (N10)
   */
  name(device: Device): number {
    let instance = device.progress.home;
    for (const live of this.#live.values()) instance = this.#hold(live, device);
    this.#dropKept(device);
    return instance;
  }

  /** Points the names that a device holds at its home. Returns as {@link name}. */
  point(device: Device): number {
    const { home } = device.progress;
    let instance = home;
    for (const live of this.#live.values()) if (live.held[device.row] === 1) instance = this.#hold(live, device);
    for (const host of this.#keptOf.get(device) ?? []) this.#kept.hold(host, home, true);
    return instance;
  }

  /** Takes all names of a device out of DNS; one it shares stays for the others. */
  drop(device: Device): void {
    for (const live of this.#live.values()) this.#release(live, device);
    this.#dropKept(device);
  }

  /**
   * Lets a device's counters change, and gives it the names of the new ones in place of those of the old ones. Names that
   * outlived their epoch stay (B7).
   * @param change changes the device's progress
   */
  recount(device: Device, change: () => void): void {
    const held = [...this.#live.values()].filter((live) => live.held[device.row] === 1);
    for (const live of held) this.#release(live, device);
    change();
    for (const live of held) this.#hold(live, device);
  }

  /**
   * Devices among `devices` that share a name in the newest step, by name (N10): these are to be allocated together.
   * @param devices looked at in slices
   */
  async groups(devices: Iterable<Device | undefined>): Promise<readonly (readonly Device[])[]> {
    const newest = [...this.#live.values()].at(-1);
    if (newest === undefined || newest.names.collisions === 0) return [];
    const byHost = new Map<string, Device[]>();
    const slices = new Slices(this.#options.breathe);
    for (const device of devices) {
      if (slices.spend(1)) await slices.rest();
      if (device === undefined || newest.held[device.row] !== 1) continue;
      slices.spend(NAME_WORK);
      const host = this.#host(device, newest.step);
      if (host === undefined || !newest.names.isShared(host)) continue;
      const group = byHost.get(host);
      if (group === undefined) byHost.set(host, [device]);
      else group.push(device);
    }
    return [...byHost.values()];
  }

  /** Points the name that the device has in the newest step at the instance, for all who share it. */
  lead(device: Device, instance: number): void {
    const newest = [...this.#live.values()].at(-1);
    const host = newest?.held[device.row] === 1 ? this.#host(device, newest.step) : undefined;
    if (host !== undefined) newest?.names.generation.add(host, instance);
  }

  /**
   * The host name that the device makes of this step, live or not; undefined if it cannot be named. It is a secret.
   * @param step its counter is the device's own
   */
  hostIn(device: Device, step: Step): string | undefined {
    const key = this.#keys.get(device.row);
    if (key === undefined) return undefined;
    try {
      return this.#options.namer.host(key, device.endpoint, step);
    } catch (error) {
      this.#options.log.error({ endpoint: device.endpoint, error: errorText(error) }, "a device has no name");
      return undefined;
    }
  }

  /** Whether a live name of the device leads to the instance (S2); where names collide it may be another than its home. */
  pointsAt(device: Device, instance: number): boolean {
    return this.names(device).some((host) => this.#options.table.get(host) === instance);
  }

  /** Whether any live name leads to the instance. */
  leadsTo(instance: number): boolean {
    const all = [this.#kept, ...[...this.#live.values()].map(({ names }) => names)];
    return all.some(({ generation }) => generation.namesOf(instance) > 0);
  }

  /** The device's live host names. They are secrets. */
  names(device: Device): string[] {
    const hosts = [...this.#live.values()]
      .filter(({ held }) => held[device.row] === 1)
      .flatMap(({ step }) => this.#host(device, step) ?? []);
    return [...hosts, ...(this.#keptOf.get(device) ?? [])];
  }

  #hold(live: LiveStep, device: Device): number {
    const { row, progress } = device;
    if (progress.home === NOWHERE) return NOWHERE;
    const host = this.#host(device, live.step);
    if (host === undefined) return progress.home;
    if (row >= live.held.length) {
      const grown = new Uint8Array(Math.max(row + 1024, live.held.length * 2));
      grown.set(live.held);
      live.held = grown;
    }
    const again = live.held[row] === 1;
    live.held[row] = 1;
    return live.names.hold(host, progress.home, again);
  }

  #release(live: LiveStep, device: Device): void {
    if (live.held[device.row] !== 1) return;
    const host = this.#host(device, live.step);
    if (host !== undefined) live.names.release(host);
    live.held[device.row] = 0;
  }

  #dropKept(device: Device): void {
    for (const host of this.#keptOf.get(device) ?? []) this.#kept.release(host);
    this.#keptOf.delete(device);
  }

  /** The device's name in a live step. Undefined, if it cannot be named: the others must not wait for it. */
  #host(device: Device, step: Step): string | undefined {
    if (step.counter === undefined) return this.hostIn(device, step);
    return this.hostIn(device, { ...step, counter: lowestLive(device.progress) + step.counter });
  }
}

/** Names a step in a map. */
export function stepKey({ time, counter }: Step): string {
  return `${time ?? ""}/${counter ?? ""}`;
}
