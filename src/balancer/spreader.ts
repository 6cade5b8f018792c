import type { MoveReason } from "../control/index.ts";
import type { Allocation } from "./allocation/index.ts";
import { type InstanceFacts, type Occasion, type OnMove, planSpread } from "./allocation/index.ts";
import { type Device, NOWHERE } from "./device.ts";
import type { Fleet } from "./fleet.ts";
import type { Instances } from "./instances.ts";
import type { Publisher } from "./publisher.ts";
import type { Registrar } from "./registrar.ts";
import { NAME_WORK, Slices } from "./slices.ts";

/** What the spreader works on. */
export interface SpreaderOptions {
  readonly fleet: Fleet;
  readonly instances: Instances;
  readonly publisher: Publisher;
  readonly registrar: Registrar;
  readonly allocation: Allocation;
  readonly breathe: () => Promise<void>;
}

/** One time that devices are spread. */
interface Spreading {
  readonly occasion: Occasion;
  readonly devices: readonly (Device | undefined)[];
  readonly serving: readonly InstanceFacts[];
  readonly turns: Map<string, number>;
}

/**
 * Spreads devices over the instances as the allocation says (B3), with as few moves as can be (B11). Devices in progress
 * stay where they are while their instance lives. Without any instance nobody moves: names stay as they are. Its methods
 * are called in turn.
 */
export class Spreader {
  readonly #parts: SpreaderOptions;
  readonly #turns: Map<string, number> = new Map();

  constructor(parts: SpreaderOptions) {
    this.#parts = parts;
  }

  /** Between epochs: everybody may move. Returns how many did. */
  level(): Promise<number> {
    return this.#spread({ kind: "level" });
  }

  /** An instance joined: it gets its share from those that have more than theirs. Returns how many devices moved. */
  fill(joined: number): Promise<number> {
    return this.#spread({ kind: "fill", joined });
  }

  /** Devices of instances that are gone get others; nobody else moves. Returns how many did. */
  rehome(): Promise<number> {
    return this.#spread({ kind: "rehome" });
  }

  /** Gives devices without instance one. */
  async place(devices: readonly Device[]): Promise<void> {
    await this.#spread({ kind: "rehome" }, devices);
  }

  /** Turns names away from an instance that is gone, to which they led for the sake of devices that share them (N10). */
  async abandon(instance: number): Promise<void> {
    const { fleet, instances, publisher, breathe } = this.#parts;
    if (instances.serving().length === 0 || !publisher.leadsTo(instance)) return;
    const slices = new Slices(breathe);
    for (const device of fleet.rows) {
      if (slices.spend(NAME_WORK)) await slices.rest();
      if (device !== undefined) publisher.point(device);
    }
  }

  /** Brings devices to the instances where devices are that they share a name with (N10). */
  async join(strays: ReadonlyMap<Device, number>): Promise<void> {
    const { fleet, instances, registrar, breathe } = this.#parts;
    const slices = new Slices(breathe);
    for (const [device, to] of strays) {
      if (slices.spend(2 * NAME_WORK)) await slices.rest();
      const stays = !fleet.has(device) || device.progress.state !== "pending" || !instances.usable(to);
      if (!stays) registrar.move(device, to);
    }
  }

  /**
   * What would move, without moving it (B16).
   * @param serving over which instances; those that serve now if absent
   */
  async plan(
    occasion: Occasion,
    onMove: (device: Device, to: number, reason: MoveReason) => void,
    serving: readonly InstanceFacts[] = this.facts(),
  ): Promise<void> {
    // Whose turn it is does not change by looking ahead.
    const turns = new Map(this.#turns);
    await this.#plan({ occasion, devices: this.#parts.fleet.rows, serving, turns }, (devices, to, reason) => {
      for (const device of devices) onMove(device, to, reason);
    });
  }

  /** What allocation knows of the instances that may be given devices. */
  facts(): readonly InstanceFacts[] {
    const { instances, fleet } = this.#parts;
    return instances.serving().flatMap((index) => {
      const instance = instances.at(index);
      if (instance === undefined) return [];
      const { id, declared, override, load } = instance;
      const { pending, commenced } = fleet.countsOf(index);
      return [{ ...declared, index, id, override: override.weight, pending, commenced, load }];
    });
  }

  async #spread(occasion: Occasion, devices: readonly (Device | undefined)[] = this.#parts.fleet.rows): Promise<number> {
    const { registrar, publisher } = this.#parts;
    let moved = 0;
    await this.#plan({ occasion, devices, serving: this.facts(), turns: this.#turns }, (unit, to) => {
      const [first] = unit;
      if (unit.length > 1 && first !== undefined && to !== NOWHERE) publisher.lead(first, to);
      for (const device of unit) if (registrar.move(device, to)) moved++;
    });
    return moved;
  }

  async #plan({ occasion, devices, serving, turns }: Spreading, onMove: OnMove): Promise<void> {
    const { allocation, publisher, breathe } = this.#parts;
    if (serving.length === 0) return;
    const slices = new Slices(breathe);
    const groups = await publisher.groups(devices);
    const chosen = await allocation.choose(occasion, devices, serving, slices);
    await planSpread({ ...allocation, devices, groups, serving, turns, chosen, slices }, occasion, (unit, to, reason) => {
      slices.spend(2 * NAME_WORK * unit.length);
      onMove(unit, to, reason);
    });
  }
}
