import type { Instant } from "../lib/clock.ts";
import type { ObjectTree } from "./tree.ts";

/** What a device keeps over a loss of power. */
export interface DeviceState {
  readonly tree: ObjectTree;
  /** When the bootstrap account is to be purged (/0/x/12), by the time of day. Absent: never. */
  readonly accountExpires?: Instant;
}

/** Keeps what a device holds. */
export interface DeviceStore {
  /**
   * Puts `state` in place of what was there before, at once and whole: after a loss of power there is the one or the other.
   * When it returns, the state is safe. Throws if it could not be stored; then there still is what was there before.
   */
  save(state: DeviceState): void;
}
