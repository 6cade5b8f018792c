import { TYPE, textOf } from "../../dns/index.ts";
import { type Check, primaryOf } from "./context.ts";
import { error, ok, warning } from "./finding.ts";

/** As the balancer writes it: a TXT record of the zone's own name. */
const OWNER = /^berth owner=(\S+) term=(\d+)/;

/** Whose zone it is, by the owner record (RFC 2136 registries only). */
export const checkOwner: Check = async (context) => {
  const server = context.dns.registry === "rfc2136" ? primaryOf(context) : undefined;
  if (server === undefined) return [];
  const subject = { check: "owner", server };
  const { answers } = await context.asker.ask(server, { name: context.wire, type: TYPE.TXT });
  const texts = answers.flatMap(({ type, data }) => (type === TYPE.TXT ? [textOf(data) ?? ""] : []));
  const owners = texts.flatMap((text) => {
    const [, fleet, term] = OWNER.exec(text) ?? [];
    return fleet === undefined ? [] : [{ fleet, text: `fleet ${fleet}, term ${term}` }];
  });
  const said = owners.map(({ text }) => text).join("; ");
  if (owners.length === 0) {
    const seen = "there is no owner record (TXT of the zone's name): no balancer has taken the zone, or somebody deleted it";
    return [warning(subject, seen, "start the balancer; it writes the record when it takes the zone")];
  }
  if (owners.length > 1) {
    return [
      error(
        subject,
        `there are ${owners.length} owner records (${said}): a balancer refuses a zone that another fleet has too`,
        "find out which fleet the zone belongs to, and delete the other fleet's TXT record",
      ),
    ];
  }
  const ours = context.dns.update?.owner;
  if (ours !== undefined && owners.some(({ fleet }) => fleet !== ours)) {
    return [
      error(
        subject,
        `the owner record says ${said}, and this fleet is ${ours} (dns.update.owner): the zone belongs to another fleet, and Berth leaves it alone`,
        "give this fleet a zone of its own; if the other fleet is gone for good, delete its TXT record",
      ),
    ];
  }
  return [ok(subject, `the zone belongs to ${said}`)];
};
