import type { Generation, ZoneTable } from "../dns/index.ts";
import { InternalError } from "../lib/errors.ts";
import { KeySlab, type Namer, type Step } from "../naming/index.ts";
import type { Device } from "./device.ts";
import { NOWHERE } from "./device.ts";

/** Names that are derived and set at a stretch; at 3 us each, well below a millisecond. */
const SLICE = 100;
/** The generation of names that outlive their epoch, as their device is in progress (B7). */
const KEPT = 0;

/** The names of one step, in DNS or on their way into it. */
interface LiveStep {
  readonly step: Step;
  readonly generation: Generation;
  /** One bit per device row: whether the device holds its name of this step. */
  held: Uint8Array;
  /** Names that several devices hold (N10), with how many do. */
  readonly shared: Map<string, number>;
}

/** What the publisher needs of its surroundings. */
export interface PublisherOptions {
  readonly table: ZoneTable;
  readonly namer: Namer;
  /** Whether names may point at the instance. */
  readonly usable: (instance: number) => boolean;
  /** Lets others run between two slices of work. */
  readonly breathe: () => Promise<void>;
}

/**
 * Keeps DNS saying what the balancer decided: which devices have names, in which steps, at which instance. Names are
 * derived when they are needed and never kept; what is kept is a key and a bit per device and step.
 */
export class Publisher {
  readonly #options: PublisherOptions;
  readonly #keys: KeySlab;
  readonly #live: Map<string, LiveStep> = new Map();
  readonly #kept: Map<Device, readonly string[]> = new Map();
  readonly #keptNames: Generation;
  #lastGeneration: number = KEPT;

  constructor(options: PublisherOptions) {
    this.#options = options;
    this.#keys = new KeySlab(1024, options.namer.keyLength ?? 32);
    this.#keptNames = options.table.beginGeneration(KEPT, 64);
    options.table.publish(this.#keptNames);
  }

  /** Takes a device's secret, to derive its names from. @throws WeakSecret if the recipe refuses it */
  learn(row: number, secret: Uint8Array): void {
    this.#keys.set(row, this.#options.namer.nameKey(secret));
  }

  /** Forgets a device's key. */
  forget(row: number): void {
    this.#keys.delete(row);
  }

  /** The steps whose names are out or on their way. */
  get steps(): readonly Step[] {
    return [...this.#live.values()].map(({ step }) => step);
  }

  /** How many names a step has in DNS. */
  namesIn(step: Step): number {
    return this.#live.get(stepKey(step))?.generation.size ?? 0;
  }

  /** How many live names are shared by several devices (N10). */
  get collisions(): number {
    return [...this.#live.values()].reduce((sum, { shared }) => sum + shared.size, 0);
  }

  /**
   * Derives the names of a step for all `devices` and publishes them at one instant; until then the steps before it
   * answer. What changes meanwhile is taken along.
   * @param entitled whether a device is to have a name; asked when its turn comes
   * @param elsewhere told of a device whose name another device holds at another instance: that is where it must go
   */
  async bringUp(
    step: Step,
    devices: readonly (Device | undefined)[],
    entitled: (device: Device) => boolean,
    elsewhere: (device: Device, instance: number) => void,
  ): Promise<void> {
    const generation = this.#options.table.beginGeneration(++this.#lastGeneration, devices.length);
    const live: LiveStep = { step, generation, held: new Uint8Array(devices.length), shared: new Map() };
    this.#live.set(stepKey(step), live);
    for (let row = 0; row < devices.length; row++) {
      if (row % SLICE === SLICE - 1) await this.#options.breathe();
      const device = devices[row];
      if (device === undefined || !entitled(device) || live.held[row] === 1) continue;
      const instance = this.#hold(live, device);
      if (instance !== device.progress.home) elsewhere(device, instance);
    }
    this.#options.table.publish(generation);
  }

  /** Takes a step's names out of DNS, except those of `inProgress`, which are kept until their session is over (B7). */
  takeDown(step: Step, inProgress: Iterable<Device>): void {
    const live = this.#live.get(stepKey(step));
    if (live === undefined) return;
    for (const device of inProgress) {
      if (live.held[device.row] !== 1) continue;
      const host = this.#host(device, step);
      this.#keptNames.add(host, device.progress.home);
      this.#kept.set(device, [...(this.#kept.get(device) ?? []), host]);
    }
    this.#live.delete(stepKey(step));
    this.#options.table.withdraw(live.generation.id);
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
    let instance = device.progress.home;
    for (const live of this.#live.values()) if (live.held[device.row] === 1) instance = this.#hold(live, device);
    for (const host of this.#kept.get(device) ?? []) this.#keptNames.add(host, device.progress.home);
    return instance;
  }

  /** Takes all names of a device out of DNS; one it shares stays for the others. */
  drop(device: Device): void {
    for (const live of this.#live.values()) this.#release(live, device);
    this.#dropKept(device);
  }

  /** Whether a live name of the device points at the instance (S2). */
  pointsAt(device: Device, instance: number): boolean {
    const { table } = this.#options;
    for (const live of this.#live.values()) {
      if (live.held[device.row] === 1 && table.get(this.#host(device, live.step)) === instance) return true;
    }
    return (this.#kept.get(device) ?? []).some((host) => table.get(host) === instance);
  }

  /** The device's live host names. They are secrets. */
  names(device: Device): string[] {
    const hosts = [...this.#live.values()]
      .filter(({ held }) => held[device.row] === 1)
      .map(({ step }) => this.#host(device, step));
    return [...hosts, ...(this.#kept.get(device) ?? [])];
  }

  #hold(live: LiveStep, device: Device): number {
    const { home } = device.progress;
    if (home === NOWHERE) return NOWHERE;
    const host = this.#host(device, live.step);
    const before = live.generation.add(host, home);
    const heldAlready = this.#markHeld(live, device.row);
    if (before === undefined || (heldAlready && !live.shared.has(host))) return home;
    if (!heldAlready) live.shared.set(host, (live.shared.get(host) ?? 1) + 1);
    if (before === home || !this.#options.usable(before)) return home;
    live.generation.add(host, before);
    return before;
  }

  #release(live: LiveStep, device: Device): void {
    if (live.held[device.row] !== 1) return;
    live.held[device.row] = 0;
    const host = this.#host(device, live.step);
    const holders = live.shared.get(host);
    if (holders === undefined) live.generation.delete(host);
    else if (holders > 2) live.shared.set(host, holders - 1);
    else live.shared.delete(host);
  }

  #markHeld(live: LiveStep, row: number): boolean {
    if (row >= live.held.length) {
      const grown = new Uint8Array(Math.max(row + 1, 1024, live.held.length * 2));
      grown.set(live.held);
      live.held = grown;
    }
    const before = live.held[row] === 1;
    live.held[row] = 1;
    return before;
  }

  #dropKept(device: Device): void {
    for (const host of this.#kept.get(device) ?? []) this.#keptNames.delete(host);
    this.#kept.delete(device);
  }

  #host(device: Device, step: Step): string {
    const key = this.#keys.get(device.row);
    if (key === undefined) throw new InternalError(`no name key is kept for ${device.endpoint}`);
    return this.#options.namer.host(key, device.endpoint, step);
  }
}

/** Names a step in a map. */
export function stepKey({ time, counter }: Step): string {
  return `${time ?? ""}/${counter ?? ""}`;
}
