import { isIP } from "node:net";
import type { NameserverHost, ZoneOptions } from "../dns/index.ts";
import { systemClock } from "../net/index.ts";
import type { Config } from "./config.ts";

/** RFC 1035 section 4.2.1: more names would not fit 512 bytes. */
const MAX_NAMESERVERS = 13;
/** A NOTIFY that got lost costs a secondary this long at most; to ask costs nothing. */
const SECONDARIES_REFRESH = { every: 60, retry: 15 } as const;

/** The zone as the configuration has it, beside the live names. */
export function zoneOptionsOf(config: Config): ZoneOptions {
  const { dns, zone } = config;
  return {
    name: zone,
    nameservers: nameserversOf(config),
    serial: Math.floor(systemClock.now() / 1000),
    ttl: Math.ceil(dns.ttl / 1000),
    negativeTtl: Math.ceil(dns.negativeTtl / 1000),
    ...(dns.registry === "primary" ? { refresh: SECONDARIES_REFRESH } : {}),
  };
}

/** Name servers of the zone: those configured, or, by their addresses, those that answer for it. */
function nameserversOf({ dns, zone }: Config): NameserverHost[] {
  if (dns.nameservers.length > 0) {
    return dns.nameservers.map(({ host, ipv4, ipv6 }) => ({
      host,
      ...(ipv4 === undefined ? {} : { ipv4 }),
      ...(ipv6 === undefined ? {} : { ipv6 }),
    }));
  }
  // Behind a hidden primary resolvers ask its secondaries.
  const secondaries = dns.transfer?.secondaries ?? [];
  const servers = secondaries.length > 0 ? secondaries : dns.listen;
  return servers.slice(0, MAX_NAMESERVERS).map(({ address }, index) => ({
    host: `ns${index + 1}.${zone}`,
    ...(isIP(address) === 6 ? { ipv6: address } : { ipv4: address }),
  }));
}
