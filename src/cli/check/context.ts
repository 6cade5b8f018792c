import type { PublicationStatus } from "../../control/index.ts";
import type { Prefix, TsigKey } from "../../dns/index.ts";
import type { Clock, Milliseconds } from "../../lib/clock.ts";
import { BerthError, errorText } from "../../lib/errors.ts";
import type { DnsServer } from "../../net/index.ts";
import type { DnsConfig } from "../dns-schema.ts";
import type { Asker } from "./asker.ts";
import { error, type Finding } from "./finding.ts";

/**
 * What a server is to Berth: its `own` nameserver; the primary that takes its `update`s; a `secondary` that it tells of
 * changes; one that is `observed`, as resolvers ask it.
 */
export type Role = "own" | "update" | "secondary" | "observed";

/** A server that is looked at. */
export interface CheckedServer extends DnsServer {
  /** Such as `192.0.2.53:53`. */
  readonly name: string;
  readonly roles: readonly Role[];
}

/** A live name, and where it should lead. It is a secret: it goes to the zone's servers, and nowhere else. */
export interface LiveName {
  /** Wire form. */
  readonly name: Uint8Array;
  /** Of the instance; of its prefix, where it has one, a name has any address. */
  readonly ipv4: Uint8Array | undefined;
  readonly ipv6: Uint8Array | Prefix | undefined;
}

/** What a balancer that is up says. */
export interface BalancerFacts {
  readonly publication: PublicationStatus | null;
  readonly held: readonly { readonly what: string; readonly explanation: string }[];
  readonly liveNames: readonly LiveName[];
}

/** What all checks are given. */
export interface CheckContext {
  /** The zone's name, as text and in wire form. */
  readonly zone: string;
  readonly wire: Uint8Array;
  readonly dns: DnsConfig;
  /** How long before its start an epoch's names are published. */
  readonly lead: Milliseconds;
  readonly skew: Milliseconds;
  /** How long an epoch lasts; undefined where names do not go by the time. */
  readonly epoch: Milliseconds | undefined;
  /** Those to look at; after the first look those that serve the zone. */
  readonly servers: readonly CheckedServer[];
  /** All that the configuration names. */
  readonly configured: readonly CheckedServer[];
  readonly asker: Asker;
  /** The key that the registry is spoken to with, or why it cannot be read. */
  readonly key: TsigKey | { readonly unreadable: string } | undefined;
  /** A resolver that was given to be asked too. */
  readonly resolver: CheckedServer | undefined;
  /** The parent zone's name server, if it was given. */
  readonly parent: DnsServer | undefined;
  /** Resolvers of this host, by which the parent is found otherwise. */
  readonly resolvers: readonly DnsServer[];
  /** What the balancer says, or why nobody knows. */
  readonly balancer: BalancerFacts | { readonly unreachable: string };
  readonly clock: Clock;
  readonly pause: (span: Milliseconds) => Promise<void>;
}

/** One check; it rejects only for what it did not think of. */
export type Check = (context: CheckContext) => Promise<readonly Finding[]>;

/** Runs a check on each of the servers, at the same time. One that falls silent in the middle is a finding like others. */
export async function onEach(
  check: string,
  servers: readonly CheckedServer[],
  run: (server: CheckedServer) => Promise<readonly Finding[]>,
): Promise<readonly Finding[]> {
  const guarded = async (server: CheckedServer): Promise<readonly Finding[]> => {
    try {
      return await run(server);
    } catch (thrown) {
      if (!(thrown instanceof BerthError)) throw thrown;
      return [error({ check, server }, `it could not be looked at to the end: ${errorText(thrown)}`, "run the check again")];
    }
  };
  return (await Promise.all(servers.map(guarded))).flat();
}

/** The one where changes come in first, if it answers. */
export function primaryOf({ dns, servers }: CheckContext): CheckedServer | undefined {
  const role: Role = dns.registry === "rfc2136" ? "update" : "own";
  return servers.find(({ roles }) => roles.includes(role));
}

/** Those that devices' resolvers ask: not a hidden primary. */
export function servingServers({ dns, servers }: CheckContext): readonly CheckedServer[] {
  const hidden = dns.registry === "primary" || (dns.registry === "rfc2136" && dns.observe.length > 0);
  const serving = servers.filter(({ roles }) => roles.some((role) => role === "secondary" || role === "observed"));
  return hidden && serving.length > 0 ? serving : servers;
}
