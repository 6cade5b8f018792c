import { getServers } from "node:dns";
import { nameToWire } from "../../dns/index.ts";
import { addressAndPort } from "../../lib/address.ts";
import type { Milliseconds } from "../../lib/clock.ts";
import { InvalidInput } from "../../lib/errors.ts";
import { epochAt } from "../../naming/index.ts";
import { type DnsServer, pause, systemClock, systemRandom } from "../../net/index.ts";
import type { Config } from "../config.ts";
import type { ConnectOptions } from "../connect.ts";
import type { Endpoint } from "../endpoint-schema.ts";
import { readTsigKey } from "../tsig-keys.ts";
import { Asker } from "./asker.ts";
import { balancerFacts } from "./balancer-facts.ts";
import { networkCarrier } from "./carrier.ts";
import type { CheckContext, CheckedServer, Role } from "./context.ts";

/** What `berth check dns` was told beside the configuration. */
export interface CheckOptions extends ConnectOptions {
  readonly resolver?: Endpoint;
  readonly delegationFrom?: Endpoint;
}

/** Gathers what the checks go by. @throws InvalidInput */
export async function openChecks(config: Config, options: CheckOptions): Promise<CheckContext> {
  const { zone, dns, margins, epochs } = config;
  const servers = serversOf(dns);
  return {
    zone,
    wire: nameToWire(zone, "zone"),
    dns,
    lead: margins.lead,
    skew: epochs.skew,
    epoch: epochOf(config),
    servers,
    configured: servers,
    asker: new Asker(networkCarrier, systemRandom),
    key: keyOf(config),
    resolver: options.resolver === undefined ? undefined : checked(options.resolver, []),
    parent: options.delegationFrom,
    resolvers: systemResolvers(),
    balancer: await balancerFacts(options),
    clock: systemClock,
    pause,
  };
}

function keyOf(config: Config): CheckContext["key"] {
  const name = config.dns.update?.key ?? config.dns.transfer?.key;
  if (name === undefined) return undefined;
  try {
    return readTsigKey(config, name);
  } catch (error) {
    if (!(error instanceof InvalidInput)) throw error;
    return { unreadable: error.message };
  }
}

/** The servers that the configuration names, each once. */
function serversOf({ registry, listen, update, transfer, observe }: Config["dns"]): readonly CheckedServer[] {
  const roles = new Map<string, { server: DnsServer; roles: Role[] }>();
  const add = (server: DnsServer, role: Role): void => {
    const name = addressAndPort(server);
    const known = roles.get(name);
    if (known === undefined) roles.set(name, { server, roles: [role] });
    else known.roles.push(role);
  };
  if (registry !== "rfc2136") for (const server of listen) add(reachable(server), "own");
  if (update !== undefined) add(update.server, "update");
  for (const server of transfer?.secondaries ?? []) add(server, "secondary");
  for (const server of observe) add(server, "observed");
  return [...roles.values()].map(({ server, roles }) => checked(server, roles));
}

/** Who listens on all addresses is reached by the host's own. */
function reachable({ address, port }: Endpoint): DnsServer {
  if (address === "0.0.0.0") return { address: "127.0.0.1", port };
  return address === "::" ? { address: "::1", port } : { address, port };
}

function checked({ address, port }: DnsServer, roles: readonly Role[]): CheckedServer {
  return { address, port, name: addressAndPort({ address, port }), roles };
}

function epochOf({ recipe }: Config): Milliseconds | undefined {
  const epoch = epochAt(recipe, 0);
  return epoch === undefined ? undefined : epoch.end - epoch.start;
}

/** As the system has them, such as `192.0.2.1`, `[2001:db8::1]:5353`. */
function systemResolvers(): readonly DnsServer[] {
  return getServers().flatMap((text) => {
    const [, six, port] = /^\[([^\]]+)\]:(\d+)$/.exec(text) ?? /^([^:]+):(\d+)$/.exec(text) ?? [];
    return [six === undefined ? { address: text, port: 53 } : { address: six, port: Number(port) }];
  });
}
