import { type Device, NOWHERE } from "../device.ts";
import { eligible } from "./eligible.ts";
import type { InstanceFacts, Measure, SpreadPolicy } from "./facts.ts";
import type { Siting } from "./siting.ts";
import { type Cohort, targetsOf } from "./targets.ts";

/**
 * Why names are spread now: `level`, everybody may move; `fill`, an instance is to get its share; `rehome`, only devices
 * whose instance may not serve them (any more) get another.
 */
export type Occasion =
  | { readonly kind: "level" }
  | { readonly kind: "fill"; readonly joined: number }
  | { readonly kind: "rehome" };

/** Over what names are spread, and how. */
export interface SpreadRules {
  /** Instances that may be given devices. */
  readonly serving: readonly InstanceFacts[];
  readonly policy: SpreadPolicy;
  /** How many of the nearest instances share a device's names, where coordinates decide. */
  readonly nearest: number;
  /** Where a policy that deals goes on, by cohort; kept from one time to the next. */
  readonly turns: Map<string, number>;
}

/** A cohort on the way to its targets. */
interface Crowd extends Cohort {
  readonly key: string;
  readonly candidates: readonly number[];
  /** Place in `candidates` of each, by index. */
  readonly placeOf: ReadonlyMap<number, number>;
  /** Names beyond the target, by place: negative where some are missing. */
  excess: number[];
}

/** Devices that share a name, and go together. */
interface Group {
  readonly devices: readonly Device[];
  readonly crowd: Crowd;
  readonly home: number;
}

/** The numbers of one spreading: first all names are counted, then targets are aimed at, then each name is asked for its place. */
export class Spread {
  readonly #rules: SpreadRules;
  readonly #occasion: Occasion;
  /** All names are dealt anew, wherever they are. */
  readonly dealsAnew: boolean;
  readonly #crowds: Map<string, Crowd> = new Map();
  readonly #bySiting: Map<Siting, Crowd> = new Map();
  readonly #measures: readonly Measure[];
  readonly #rooms: ReadonlyMap<number, number>;
  /** Names that stay where they are, by instance; at first all. */
  readonly #settled: Map<number, number>;

  constructor(rules: SpreadRules, occasion: Occasion) {
    const { serving, policy } = rules;
    const names = serving.reduce((sum, { pending }) => sum + pending, 0);
    this.#rules = rules;
    this.#occasion = occasion;
    this.dealsAnew = policy.deals === true && occasion.kind === "level";
    this.#measures = policy.measure(serving, names, occasion.kind === "rehome");
    this.#rooms = new Map(serving.map((instance) => [instance.index, roomOf(instance)]));
    this.#settled = new Map(serving.map(({ index, pending }) => [index, pending]));
  }

  /** Counts a name that may move. */
  count(device: Device, names = 1): void {
    const { home } = device.progress;
    const crowd = this.#crowdOf(device.kind.siting);
    this.#settle(home, -names);
    crowd.size += names;
    if (!this.dealsAnew && crowd.placeOf.has(home)) crowd.at.set(home, (crowd.at.get(home) ?? 0) + names);
  }

  /** Counts a name whose place is decided. */
  countAt(device: Device, to: number, names = 1): void {
    this.#settle(device.progress.home, -names);
    this.#settle(to, names);
  }

  /** How many names each instance is to have is worked out from what was counted. */
  aim(): void {
    const crowds = [...this.#crowds.values()];
    const measures = this.#measures.map((measure) => ({
      ...measure,
      base: measure.base + (this.#settled.get(measure.index) ?? 0),
    }));
    const rooms = new Map([...this.#rooms].map(([index, room]) => [index, room - (this.#settled.get(index) ?? 0)]));
    for (const [number, targets] of targetsOf(crowds, measures, rooms).entries()) {
      const crowd = crowds[number];
      if (crowd !== undefined)
        crowd.excess = crowd.candidates.map((index) => (crowd.at.get(index) ?? 0) - (targets.get(index) ?? 0));
    }
  }

  /**
   * Finds places for devices that share names, the most first; what was counted one by one then levels out what such
   * lumps leave uneven. Call it between {@link count} and {@link aim}.
   * @returns the groups with their places
   */
  placeGroups(groups: readonly (readonly Device[])[]): { readonly devices: readonly Device[]; readonly to: number }[] {
    const lumps = groups.map((devices) => this.#lump(devices)).sort((a, b) => b.devices.length - a.devices.length);
    for (const { devices } of lumps) for (const device of devices.slice(0, 1)) this.count(device, devices.length);
    this.aim();
    // All are taken out of the count, and come back one after the other, each to its place.
    for (const { crowd, home, devices } of lumps) {
      crowd.size -= devices.length;
      const at = crowd.at.get(home);
      if (at !== undefined) crowd.at.set(home, at - devices.length);
      if (at !== undefined) this.#exceed(crowd, home, -devices.length);
    }
    return lumps.map(({ devices, crowd, home }) => {
      const to = this.#placeOfLump(crowd, home, devices.length);
      if (to !== NOWHERE) {
        this.#exceed(crowd, to, devices.length);
        this.#settle(to, devices.length);
      }
      return { devices, to };
    });
  }

  /** The place of the next device; its home, if it stays. {@link NOWHERE}, if nobody may serve it. */
  next(device: Device): number {
    const { home } = device.progress;
    const crowd = this.#crowdOf(device.kind.siting);
    const { candidates, excess, placeOf } = crowd;
    if (candidates.length === 0) return NOWHERE;
    const at = this.dealsAnew ? undefined : placeOf.get(home);
    if (at !== undefined && (excess[at] ?? 0) <= 0) return home;
    const to = this.#taker(crowd, at !== undefined);
    if (to === undefined) return home;
    if (at !== undefined) excess[at] = (excess[at] ?? 0) - 1;
    excess[to] = (excess[to] ?? 0) + 1;
    return candidates[to] ?? NOWHERE;
  }

  /** Whether the device's instance may not serve it. */
  isUnserved(device: Device): boolean {
    return !this.#crowdOf(device.kind.siting).placeOf.has(device.progress.home);
  }

  /** The place in `candidates` of who is to get the next name. */
  #taker({ key, candidates, excess }: Crowd, housed: boolean): number | undefined {
    const occasion = this.#occasion;
    if (housed && occasion.kind === "rehome") return undefined;
    if (housed && occasion.kind === "fill") {
      const joined = candidates.indexOf(occasion.joined);
      return joined !== -1 && (excess[joined] ?? 0) < 0 ? joined : undefined;
    }
    const { policy, turns } = this.#rules;
    if (policy.deals) {
      const start = turns.get(key) ?? 0;
      for (let ahead = 0; ahead < candidates.length; ahead++) {
        const place = (start + ahead) % candidates.length;
        if ((excess[place] ?? 0) >= 0) continue;
        turns.set(key, place + 1);
        return place;
      }
    }
    const best = leastOf(excess);
    return housed && (excess[best] ?? 0) >= 0 ? undefined : best;
  }

  #lump(devices: readonly Device[]): Group {
    const [first] = devices;
    const crowd = this.#crowdOf(first?.kind.siting ?? { strict: false });
    return { devices, crowd, home: first?.progress.home ?? NOWHERE };
  }

  /** Where it is, if that is not too much there; else where the most is missing. */
  #placeOfLump({ candidates, excess, placeOf }: Crowd, home: number, size: number): number {
    if (candidates.length === 0) return NOWHERE;
    const occasion = this.#occasion;
    const at = this.dealsAnew ? undefined : placeOf.get(home);
    const best = occasion.kind === "fill" && at !== undefined ? candidates.indexOf(occasion.joined) : leastOf(excess);
    if (at === undefined) return candidates[best] ?? NOWHERE;
    const stays = occasion.kind === "rehome" || best === -1 || (excess[at] ?? 0) + size <= 0;
    // Elsewhere it would be as much too many.
    const betters = (excess[best] ?? 0) + size < (excess[at] ?? 0) + size;
    return stays || !betters ? home : (candidates[best] ?? home);
  }

  #exceed(crowd: Crowd, index: number, names: number): void {
    const place = crowd.placeOf.get(index);
    if (place !== undefined) crowd.excess[place] = (crowd.excess[place] ?? 0) + names;
  }

  #settle(index: number, names: number): void {
    const before = this.#settled.get(index);
    if (before !== undefined) this.#settled.set(index, before + names);
  }

  #crowdOf(siting: Siting): Crowd {
    const known = this.#bySiting.get(siting);
    if (known !== undefined) return known;
    const { serving, nearest } = this.#rules;
    const steps = eligible(siting, serving, nearest);
    const candidates = steps.flat().map(({ index }) => index);
    const key = steps.map((step) => step.map(({ id }) => id).join(" ")).join(" | ");
    const placeOf = new Map(candidates.map((index, place) => [index, place]));
    const crowd = this.#crowds.get(key) ?? { key, size: 0, at: new Map(), steps, candidates, placeOf, excess: [] };
    this.#crowds.set(key, crowd);
    this.#bySiting.set(siting, crowd);
    return crowd;
  }
}

/** How many names an instance may have: one that turns devices away is to get no more than it has. */
function roomOf({ room = Number.POSITIVE_INFINITY, pending, load }: InstanceFacts): number {
  return load.admission.full ? Math.min(room, pending) : room;
}

/** The place of the least. */
function leastOf(values: readonly number[]): number {
  let best = 0;
  for (let place = 1; place < values.length; place++) if ((values[place] ?? 0) < (values[best] ?? 0)) best = place;
  return best;
}
