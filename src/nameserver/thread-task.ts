import type { SharedZone, ZoneOptions } from "../dns/index.ts";
import type { LogFields } from "../lib/log.ts";
import type { NameserverLimits } from "./limits.ts";
import type { NameserverStats } from "./stats.ts";
import type { ListenAddress } from "./udp.ts";

/** What a thread of a nameserver works with. */
export interface ThreadTask {
  readonly zone: ZoneOptions;
  readonly names: SharedZone;
  /** With the ports that the main thread got. */
  readonly listen: readonly ListenAddress[];
  readonly limits: NameserverLimits;
  /** Keys the accounts of the rate limit. */
  readonly seed: Uint8Array;
  /** What the secrets of cookies are made of. */
  readonly master: Uint8Array;
}

/** What it is told while it works. */
export type ToThread = { readonly names: SharedZone } | { readonly ask: "stats" };

/** What it tells. */
export type FromThread =
  | { readonly ready: true }
  | { readonly stats: NameserverStats }
  | { readonly warn: string; readonly fields: LogFields };
