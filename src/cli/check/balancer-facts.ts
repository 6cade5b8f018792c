import { ipv4Bytes, ipv6Bytes, nameToWire, parsePrefix } from "../../dns/index.ts";
import { BerthError, errorText, InvalidInput } from "../../lib/errors.ts";
import type { ControlClient } from "../../net/index.ts";
import { type ConnectOptions, connect } from "../connect.ts";
import type { BalancerFacts, CheckContext, LiveName } from "./context.ts";

/** Pages of devices that are looked through for some with a live name, and how many of these are taken. */
const DEVICES = 100;
const NAMES = 3;

/** Asks the balancer how publication stands, and for a few live names. It may be down, or not be known: then the reason. */
export async function balancerFacts(options: ConnectOptions): Promise<CheckContext["balancer"]> {
  try {
    const client = connect(options);
    try {
      return await factsOf(client);
    } finally {
      client.close();
    }
  } catch (error) {
    if (!(error instanceof BerthError)) throw error;
    return { unreachable: errorText(error) };
  }
}

async function factsOf(client: ControlClient): Promise<BalancerFacts> {
  const { publication, held } = await client.call("status", {});
  const { instances } = await client.call("instances", {});
  const { devices } = await client.call("devices", { query: { state: "pending", limit: DEVICES, names: true } });
  const liveNames: LiveName[] = [];
  for (const { instance, names = [] } of devices) {
    const addresses = instances.find(({ id }) => id === instance)?.addresses;
    const [host] = names;
    if (addresses === undefined || host === undefined) continue;
    const { ipv4, ipv6, prefix } = addresses;
    liveNames.push({
      name: wireOf(host),
      ipv4: ipv4 === undefined ? undefined : ipv4Bytes(ipv4),
      ipv6: prefix !== undefined ? parsePrefix(prefix) : ipv6 === undefined ? undefined : ipv6Bytes(ipv6),
    });
    if (liveNames.length === NAMES) break;
  }
  return { publication, held: held.filter(({ confirmed }) => !confirmed), liveNames };
}

/** The error of a name that is none would repeat it, and it is a secret. */
function wireOf(host: string): Uint8Array {
  try {
    return nameToWire(host);
  } catch {
    throw new InvalidInput("the balancer gives a live name that is no DNS name");
  }
}
