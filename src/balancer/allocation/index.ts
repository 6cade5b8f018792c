import type { Logger } from "../../lib/log.ts";
import type { Device } from "../device.ts";
import type { Slices } from "../slices.ts";
import type { InstanceFacts, SpreadPolicy } from "./facts.ts";
import { ask, type OwnPolicy } from "./own-policy.ts";
import { even } from "./policies/even.ts";
import { POLICIES } from "./policies/registry.ts";
import { Siter, type SitingOptions } from "./siting.ts";
import type { Occasion } from "./spread.ts";

export { distance, eligible } from "./eligible.ts";
export type { InstanceFacts, SpreadPolicy } from "./facts.ts";
export { PolicyHook } from "./hook.ts";
export type { AskedDevice, OwnPolicy } from "./own-policy.ts";
export { type OnMove, planSpread, type SpreadInput } from "./plan.ts";
export { POLICIES } from "./policies/registry.ts";
export { ANYWHERE, Siter, type Siting, type SitingColumns, type SitingOptions, type SitingRule } from "./siting.ts";
export type { Occasion } from "./spread.ts";

/** How devices are allocated: first who may serve them, then how they are spread (B3). */
export interface AllocationOptions extends SitingOptions {
  /** Name of a built-in policy. Where there is one of the user's own it is the fall-back. */
  readonly policy: string;
  /** How many of the nearest instances share a device's names, where coordinates decide. */
  readonly nearest: number;
  readonly own?: { readonly policy: OwnPolicy; readonly attributes: readonly string[] } | undefined;
}

/** Evenly, everybody anywhere. */
export const EVEN: AllocationOptions = { policy: even.name, nearest: 1, rules: [], columns: {} };

/** The allocation in force. */
export class Allocation {
  readonly siter: Siter;
  readonly policy: SpreadPolicy;
  readonly nearest: number;
  readonly #own: AllocationOptions["own"];
  readonly #log: Logger;

  constructor({ policy, nearest, own, ...siting }: AllocationOptions, log: Logger) {
    this.siter = new Siter(siting);
    this.policy = POLICIES.get(policy) ?? even;
    this.nearest = nearest;
    this.#own = own;
    this.#log = log;
  }

  /** Where the user's own policy puts devices; undefined if there is none. */
  async choose(
    occasion: Occasion,
    devices: Iterable<Device | undefined>,
    serving: readonly InstanceFacts[],
    slices: Slices,
  ): Promise<((device: Device) => number) | undefined> {
    if (this.#own === undefined) return undefined;
    const { policy: own, attributes } = this.#own;
    return ask({ own, attributes, nearest: this.nearest, log: this.#log }, occasion, devices, serving, slices);
  }
}
