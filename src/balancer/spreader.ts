import { evenShares } from "./allocation.ts";
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
  readonly breathe: () => Promise<void>;
}

/**
 * Spreads devices evenly over the instances (B3) with as few moves as can be (B11). Devices in progress stay where they
 * are while their instance lives. Without any instance nobody moves: names stay as they are. Its methods are called in
 * turn.
 */
export class Spreader {
  readonly #parts: SpreaderOptions;

  constructor(parts: SpreaderOptions) {
    this.#parts = parts;
  }

  /** Between epochs: everybody may move. Returns how many did. */
  level(): Promise<number> {
    return this.#spread(() => true);
  }

  /** An instance joined: it gets its share from those that have more than theirs. Returns how many devices moved. */
  fill(joined: number): Promise<number> {
    return this.#spread((to) => to === joined);
  }

  /** Devices of instances that are gone get others; nobody else moves. Returns how many did. */
  rehome(): Promise<number> {
    return this.#spread(() => false);
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

  /** Gives a device without instance one. */
  place(device: Device): void {
    const { fleet, instances, registrar } = this.#parts;
    const load = (index: number): number => fleet.countsOf(index).pending + fleet.countsOf(index).commenced;
    const home = leastOf(instances.serving(), load);
    if (home !== NOWHERE) registrar.move(device, home);
  }

  /** Brings devices to the instances where devices are that they share a name with (N10). */
  async join(strays: ReadonlyMap<Device, number>): Promise<void> {
    const { fleet, instances, registrar, breathe } = this.#parts;
    const slices = new Slices(breathe);
    for (const [device, to] of strays) {
      if (slices.spend(2 * NAME_WORK)) await slices.rest();
      const stays = !fleet.has(device) || device.progress.state !== "pending" || instances.at(to)?.state !== "up";
      if (!stays) registrar.move(device, to);
    }
  }

  /** @param mayTake whether an instance may be given devices that have one already */
  async #spread(mayTake: (instance: number) => boolean): Promise<number> {
    const { fleet, instances, registrar, breathe } = this.#parts;
    const serving = instances.serving();
    if (serving.length === 0) return 0;
    const load = (index: number): number => fleet.countsOf(index).pending + fleet.countsOf(index).commenced;
    const loads = new Map(serving.map((index) => [index, load(index)]));
    const housed = [...loads.values()].reduce((sum, each) => sum + each, 0);
    const shares = evenShares(loads, fleet.counts.pending + fleet.counts.commenced - housed);
    const excess = (index: number): number => load(index) - (shares.get(index) ?? 0);
    const takers = serving.filter(mayTake);
    const slices = new Slices(breathe);
    let moved = 0;
    for (const device of fleet.rows) {
      if (slices.spend(1)) await slices.rest();
      if (device === undefined || device.progress.state !== "pending") continue;
      const { home } = device.progress;
      const homeless = !shares.has(home);
      if (!homeless && (takers.length === 0 || excess(home) <= 0)) continue;
      const to = leastOf(homeless ? serving : takers, excess);
      if (!homeless && (to === NOWHERE || excess(to) >= 0)) continue;
      slices.spend(2 * NAME_WORK);
      if (registrar.move(device, to)) moved++;
    }
    return moved;
  }
}

/** The instance of which `measure` is least; {@link NOWHERE} if there is none. */
function leastOf(instances: readonly number[], measure: (index: number) => number): number {
  let best = NOWHERE;
  let least = Number.POSITIVE_INFINITY;
  for (const index of instances) {
    const value = measure(index);
    if (value >= least) continue;
    best = index;
    least = value;
  }
  return best;
}
