import type { InstanceLoad } from "../../control/index.ts";

/** What allocation knows of an instance. */
export interface InstanceFacts {
  /** Its number in the zone table. */
  readonly index: number;
  readonly id: string;
  /** As it says of itself, or as the configuration does for it: relative to the others. */
  readonly weight: number;
  /** The weight an operator has set, which outranks what is declared and measured. */
  readonly override?: number | undefined;
  readonly region?: string | undefined;
  /** Latitude and longitude, degrees. */
  readonly location?: readonly [number, number] | undefined;
  readonly pools: readonly string[];
  /** The most names it wants. */
  readonly room?: number | undefined;
  /** Pending devices whose names lead to it. */
  readonly pending: number;
  /** Devices in progress there. */
  readonly commenced: number;
  /** What it said of itself at its last heartbeat. */
  readonly load: InstanceLoad;
}

/** What allocation knows of a device. */
export interface DeviceFacts {
  readonly endpoint: string;
  readonly group: string | null;
  readonly attributes: Readonly<Record<string, string>>;
}

/** How much of the names an instance is to have. */
export interface Measure {
  readonly index: number;
  /** Its part, relative to the others. */
  readonly weight: number;
  /** What it has already that counts as so many names. */
  readonly base: number;
}

/**
 * How names are spread over the instances that may serve them: such that (base + names) / weight is the same for all.
 * Called with instances that serve; pure.
 */
export interface SpreadPolicy {
  readonly name: string;
  /**
   * @param pending names there are at these instances, in all
   * @param placing only names without an instance are to be placed, and the others stay where they are
   */
  measure(instances: readonly InstanceFacts[], pending: number, placing: boolean): readonly Measure[];
  /** Deals all names anew at an epoch, in turn; the others move as few as can be. */
  readonly deals?: true;
}
