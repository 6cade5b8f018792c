import type { TsigKey, ZoneOptions } from "../dns/index.ts";
import type { Seconds } from "../lib/clock.ts";
import type { Recipe } from "../naming/index.ts";
import type { DnsServer } from "../net/index.ts";
import type { Owner } from "./rfc2136-owner.ts";

/** What a registry's thread is to be; it crosses between threads as it is. */
export type RegistryTask =
  | {
      readonly kind: "rfc2136";
      readonly server: DnsServer;
      readonly key: TsigKey;
      /** The zone's name, such as `bs.example.com`. */
      readonly zone: string;
      /** Of the names' addresses. */
      readonly ttl: Seconds;
      readonly owner: Owner;
      /** By which it is known which names of the zone are ours. */
      readonly recipe: Recipe;
      readonly uri: string;
    }
  | {
      readonly kind: "primary";
      readonly zone: ZoneOptions;
      readonly key: TsigKey;
      /** Such as `192.0.2.53:53`. */
      readonly secondaries: readonly string[];
    };
