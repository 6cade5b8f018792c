import { isWithin, type Message, RCODE, rcodeName, TYPE } from "../../dns/index.ts";
import type { Seconds } from "../../lib/clock.ts";
import { type Check, type CheckContext, type CheckedServer, type LiveName, onEach } from "./context.ts";
import { error, type Finding, ok, warning } from "./finding.ts";

/** A name may have changed since the balancer was asked for it: it is given this time to arrive. */
const PATIENCE = 5000;
const STEP = 500;

/** What a server says of a live name: nothing wrong, or what, and the TTL it gives. */
interface Resolved {
  readonly fault: string | undefined;
  readonly ttl: Seconds | undefined;
}

/** Whether names that are live now lead to their instances, at each server. The names themselves are never shown. */
export const checkLiveNames: Check = async (context) => {
  const { balancer, servers } = context;
  if ("unreachable" in balancer) return [];
  const { liveNames } = balancer;
  if (liveNames.length === 0) return [ok({ check: "names" }, "no name is live now, so none was looked up")];
  return onEach("names", servers, (server) => checkOne(context, server, liveNames));
};

async function checkOne(context: CheckContext, server: CheckedServer, names: readonly LiveName[]): Promise<readonly Finding[]> {
  const subject = { check: "names", server };
  const findings: Finding[] = [];
  const resolved = await Promise.all(names.map((name) => patiently(context, server, name)));
  const faults = resolved.flatMap(({ fault }) => (fault === undefined ? [] : [fault]));
  if (faults.length > 0) {
    findings.push(
      error(
        subject,
        `of ${names.length} live names ${faults.length} do not lead to their instance: ${[...new Set(faults)].join("; ")}`,
        "if its serial is behind, see why (check serial); else run berth compare, which compares all names with the registry",
      ),
    );
  }
  const ttls = [...new Set(resolved.flatMap(({ ttl }) => (ttl === undefined ? [] : [ttl])))];
  const wanted = Math.ceil(context.dns.ttl / 1000);
  if (ttls.includes(0)) {
    findings.push(
      error(
        { check: "ttl", server },
        "live names have a TTL of 0: some embedded stacks keep such an answer for 20 minutes",
        "see what rewrites the TTL; dns.ttl cannot be 0",
      ),
    );
  } else if (ttls.some((ttl) => ttl !== wanted)) {
    findings.push(
      warning(
        { check: "ttl", server },
        `live names have a TTL of ${ttls.join(", ")} s, and dns.ttl is ${wanted} s: resolvers go by the former`,
        "after a change of dns.ttl restart the balancer and run berth compare; else see what rewrites TTLs",
      ),
    );
  }
  return findings.length > 0 ? findings : [ok(subject, `${names.length} live names lead to their instances, TTL ${wanted} s`)];
}

async function patiently(context: CheckContext, server: CheckedServer, name: LiveName): Promise<Resolved> {
  let resolved = await resolve(context, server, name);
  for (let waited = 0; resolved.fault !== undefined && waited < PATIENCE; waited += STEP) {
    await context.pause(STEP);
    resolved = await resolve(context, server, name);
  }
  return resolved;
}

async function resolve({ asker }: CheckContext, server: CheckedServer, { name, ipv4, ipv6 }: LiveName): Promise<Resolved> {
  const four = await asker.ask(server, { name, type: TYPE.A });
  const six = await asker.ask(server, { name, type: TYPE.AAAA });
  const fault = faultOf(four, TYPE.A, ipv4) ?? faultOf(six, TYPE.AAAA, ipv6);
  return { fault, ttl: [...four.answers, ...six.answers].find(({ type }) => type === TYPE.A || type === TYPE.AAAA)?.ttl };
}

function faultOf({ rcode, answers }: Message, type: number, wanted: LiveName["ipv6"]): string | undefined {
  const family = type === TYPE.A ? "IPv4" : "IPv6";
  if (rcode === RCODE.NXDOMAIN) return "it does not exist there (NXDOMAIN)";
  if (rcode !== RCODE.NOERROR) return `it gets ${rcodeName(rcode)}`;
  const found = answers.filter((record) => record.type === type);
  const [only] = found;
  if (found.length > 1) return `it has ${found.length} ${family} addresses instead of one`;
  if (wanted === undefined) return only === undefined ? undefined : `it has an ${family} address, and its instance has none`;
  if (only === undefined) return `it has no ${family} address`;
  const right = wanted instanceof Uint8Array ? Buffer.compare(only.data, wanted) === 0 : isWithin(only.data, 0, wanted);
  return right ? undefined : `it leads to another ${family} address than its instance's`;
}
