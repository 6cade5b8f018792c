import { FLAG, RCODE, rcodeName, TYPE } from "../../dns/index.ts";
import { errorText } from "../../lib/errors.ts";
import { CHECKING_DISABLED, within } from "./asker.ts";
import type { Check } from "./context.ts";
import { error, type Finding, ok, warning } from "./finding.ts";

/** Whether the zone can be resolved as a device does it, through the resolver that was given. */
export const checkResolver: Check = async ({ resolver, asker, wire, zone, dns }) => {
  if (resolver === undefined) return [];
  const subject = { check: "resolver", server: resolver };
  const flags = FLAG.RECURSION_DESIRED;
  const findings: Finding[] = [];
  try {
    const { rcode, answers } = await asker.ask(resolver, { name: wire, type: TYPE.SOA, flags });
    if (rcode !== RCODE.NOERROR || answers.length === 0) {
      const unchecked = await asker.ask(resolver, { name: wire, type: TYPE.SOA, flags: flags | CHECKING_DISABLED });
      const bogus = unchecked.rcode === RCODE.NOERROR && unchecked.answers.length > 0;
      const why = bogus
        ? `${zone} resolves only when DNSSEC is not checked: its signatures, or the DS record in the parent zone, are wrong`
        : `${zone} does not resolve through it (${rcodeName(rcode)}): the delegation does not lead to a server that answers`;
      return [error(subject, why, bogus ? "see check dnssec" : "see checks delegation and answers")];
    }
    const none = await asker.ask(resolver, { name: within(asker.madeUpLabel(), wire), type: TYPE.A, flags });
    if (none.rcode !== RCODE.NXDOMAIN) {
      findings.push(
        warning(
          subject,
          `through it a name that nobody has gets ${rcodeName(none.rcode)}${none.answers.length > 0 ? " and an address" : ""} instead of NXDOMAIN`,
          "see check wildcard; if the zone's servers are right, the resolver rewrites answers, and devices should use another",
        ),
      );
    }
    const negative = none.authorities.find(({ type }) => type === TYPE.SOA)?.ttl ?? 0;
    if (negative > Math.ceil(dns.negativeTtl / 1000)) {
      findings.push(
        warning(
          subject,
          `it keeps "no such name" for ${negative} s, longer than dns.negativeTtl`,
          "lower the resolver's least TTL for negative answers, or see check ttl",
        ),
      );
    }
  } catch (thrown) {
    return [
      error(subject, `it does not answer: ${errorText(thrown)}`, "see that the address is that of a resolver this host may ask"),
    ];
  }
  return findings.length > 0 ? findings : [ok(subject, `${zone} resolves through it`)];
};
