import { FLAG, nameToWire, TYPE } from "../../dns/index.ts";
import type { DnsServer } from "../../net/index.ts";
import { addressText } from "./asker.ts";
import type { CheckContext } from "./context.ts";

/** Names that nobody can delegate: for tests and documentation (RFC 2606, RFC 6761). */
const RESERVED = /(^|\.)(test|example|invalid|localhost|local|internal|example\.(com|net|org))$/;

/** The parent zone's name server; or why it is not asked. */
export type Parent = { readonly server: DnsServer } | { readonly skipped: string };

/** Finds a name server of the zone that delegates ours, through a resolver, unless one was given. */
export async function findParent(context: CheckContext): Promise<Parent> {
  const { zone, parent, resolver, resolvers } = context;
  if (parent !== undefined) return { server: parent };
  if (RESERVED.test(zone)) return { skipped: `${zone} lies in a domain for tests, which nobody delegates` };
  for (const asked of resolver === undefined ? resolvers : [resolver]) {
    const server = await parentThrough(context, asked).catch(() => undefined);
    if (server !== undefined) return { server };
  }
  return { skipped: "no resolver of this host says who serves the parent zone; give --delegation-from ADDRESS:PORT" };
}

/** Goes up from the zone until a name has NS records, and takes the first server of these that has an address. */
async function parentThrough({ zone, asker }: CheckContext, resolver: DnsServer): Promise<DnsServer | undefined> {
  const labels = zone.split(".");
  for (let up = 1; up < labels.length; up++) {
    const name = nameToWire(labels.slice(up).join("."));
    const { answers } = await asker.ask(resolver, { name, type: TYPE.NS, flags: FLAG.RECURSION_DESIRED });
    for (const { type, data } of answers) {
      if (type !== TYPE.NS) continue;
      const found = await asker.ask(resolver, { name: data, type: TYPE.A, flags: FLAG.RECURSION_DESIRED });
      const address = found.answers.find((record) => record.type === TYPE.A);
      if (address !== undefined) return { address: addressText(address.data), port: 53 };
    }
  }
  return undefined;
}
