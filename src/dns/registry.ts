import { BerthError } from "../lib/errors.ts";

/** How names get to the servers that devices' resolvers ask (spec R2-R4). */
export type RegistryKind = "embedded" | "rfc2136" | "primary";

/** A registry cannot be reached, or cannot take changes now: the same may go well later. Codes `timeout`, `connection`, `servfail`, `busy`. */
export class RegistryUnavailable extends BerthError {}

/**
 * A registry takes nothing from us before somebody changes something. Codes `bad-key` (TSIG: no such key, or another
 * secret), `bad-time` (clocks differ), `refused`, `not-authoritative`, `foreign` (the zone is another fleet's), `zone`.
 */
export class RegistryRefused extends BerthError {}

/** Another balancer has taken the zone over (spec R6): whoever gets this must not write again. Code `fenced`. */
export class RegistryFenced extends BerthError {}

/** What a full comparison would change. Counts of names. */
export interface RegistryPlan {
  readonly added: number;
  readonly changed: number;
  readonly removed: number;
  /** Names of ours that the registry held before. */
  readonly held: number;
}

/** A plan was not carried out, as it would change or remove too much of what is live: see `plan`. Code `held`. */
export class RegistryHeld extends BerthError {
  readonly plan: RegistryPlan;
  constructor(message: string, plan: RegistryPlan) {
    super("held", message);
    this.plan = plan;
  }
}

/** What a registry did with what it was given. */
export interface Written {
  /** Names whose records are others now. */
  readonly changed: number;
  /** Serial of the zone after that; null where the server does not tell. */
  readonly serial: number | null;
  /** Names in the registry now. */
  readonly names: number;
}

/**
 * A place that names are published in, beside the nameserver's own table: one implementation is one file. Nothing but it
 * knows how records get there. Its methods are called one after the other.
 * All reject with {@link RegistryUnavailable}, {@link RegistryRefused} or {@link RegistryFenced}.
 */
export interface Registry {
  /**
   * Takes the zone over for this balancer, shutting out others with a lower term, and brings it to the state that `all`
   * gives, whole: names of ours that are not among them are removed, what is not ours is not touched.
   * @param all packed name states; together all there should be
   * @param limit the share (0-1) of the names of ours in the registry that may be changed or removed by it
   * @throws RegistryHeld if it would be more: then nothing has changed
   */
  replace(all: AsyncIterable<Uint8Array>, limit: number): Promise<Written>;
  /** Brings names into the states given, packed; others stay as they are. What is so already costs nothing. */
  write(states: Uint8Array): Promise<Written>;
  /** Gives back connections and threads. */
  close(): Promise<void>;
}
