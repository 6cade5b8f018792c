import type { TsigAlgorithm, TsigKey } from "../../src/dns/index.ts";
import { silentLogger } from "../../src/lib/log.ts";
import { DnsConnection, pause, systemClock, systemRandom } from "../../src/net/index.ts";
import { type Rfc2136Options, Rfc2136Registry } from "../../src/registry/index.ts";
import { type DnsServer, newKey, ZONE } from "../support/dns-servers.ts";
import { owns, type Subject, TTL } from "./contract.ts";

/** A registry on a server, as Berth makes it, but for what is given. */
export function updateRegistry(server: DnsServer, key: TsigKey, options: Partial<Rfc2136Options> = {}): Rfc2136Registry {
  return new Rfc2136Registry({
    server: server.endpoint,
    zone: ZONE,
    key,
    ttl: TTL,
    owner: { fleet: "fleet-a", term: 1 },
    owns,
    timeout: 5000,
    connect: () => DnsConnection.open(server, 2000),
    clock: systemClock,
    random: systemRandom,
    pause,
    log: silentLogger,
    ...options,
  });
}

/** A server that takes updates, for the contract of all registries. */
export async function updateSubject(
  start: (key: TsigKey) => Promise<DnsServer>,
  algorithm: TsigAlgorithm,
  options: Partial<Rfc2136Options> = {},
): Promise<Subject> {
  const key = newKey(algorithm);
  const server = await start(key);
  let term = 0;
  return {
    open: () => updateRegistry(server, key, { owner: { fleet: "fleet-a", term: ++term }, ...options }),
    ask: (name, type) => server.ask(name, type),
    stop: () => server.stop(),
  };
}
