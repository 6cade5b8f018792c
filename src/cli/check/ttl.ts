import { type ResourceRecord, TYPE } from "../../dns/index.ts";
import type { Seconds } from "../../lib/clock.ts";
import { type Check, onEach } from "./context.ts";
import { error, type Finding, ok, warning } from "./finding.ts";

/** Whether SOA and NS records live as long as they should; a live name's TTL is looked at with the name. */
export const checkTtl: Check = ({ wire, dns, asker, servers }) =>
  onEach("ttl", servers, async (server) => {
    const subject = { check: "ttl", server };
    const answer = await asker.ask(server, { name: wire, type: TYPE.SOA });
    const soa = answer.answers.find(({ type }) => type === TYPE.SOA);
    const ns = (await asker.ask(server, { name: wire, type: TYPE.NS })).answers.find(({ type }) => type === TYPE.NS);
    if (soa === undefined) return [];
    const findings: Finding[] = [];
    const minimum = minimumOf(soa);
    // RFC 2308 section 5: a resolver keeps "no such name" for the lower of the two.
    const negative = Math.min(soa.ttl, minimum);
    const wanted = Math.ceil(dns.negativeTtl / 1000);
    if (negative > wanted) {
      findings.push(
        error(
          subject,
          `"no such name" is kept for ${negative} s (the lower of the SOA record's TTL, ${soa.ttl}, and its minimum, ${minimum}), but Berth counts on dns.negativeTtl, ${wanted} s: a device that asks too early waits for longer than names are published ahead`,
          `set TTL and minimum of the zone's SOA record to ${wanted}, or dns.negativeTtl to ${negative}s`,
        ),
      );
    } else if (negative === 0) {
      findings.push(
        warning(
          subject,
          'nobody keeps "no such name" (SOA TTL or minimum is 0): each question for a name that is not live reaches this server, and some embedded stacks keep a TTL of 0 for minutes',
          `set TTL and minimum of the zone's SOA record to ${wanted}`,
        ),
      );
    } else if (soa.ttl !== minimum) {
      findings.push(
        warning(
          subject,
          `the SOA record's TTL is ${soa.ttl} and its minimum ${minimum}: which of them a resolver uses differs from one to the next`,
          `set both to ${wanted}`,
        ),
      );
    }
    if (ns !== undefined && ns.ttl === 0) {
      findings.push(
        warning(subject, "the NS records have a TTL of 0: resolvers look for the zone's servers each time", "set it to an hour"),
      );
    }
    return findings.length > 0 ? findings : [ok(subject, `"no such name" is kept for ${negative} s`)];
  });

/** The last number of a SOA record (RFC 1035 section 3.3.13). */
function minimumOf({ data }: ResourceRecord): Seconds {
  return new DataView(data.buffer, data.byteOffset + data.length - 4).getUint32(0);
}
