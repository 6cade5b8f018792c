import { type Message, RCODE, type ResourceRecord, rcodeName, relativeLength, TYPE } from "../../dns/index.ts";
import { addressAndPort, isLoopback } from "../../lib/address.ts";
import { errorText } from "../../lib/errors.ts";
import { addressText, isAuthoritative, nameText } from "./asker.ts";
import { type Check, type CheckContext, type CheckedServer, servingServers } from "./context.ts";
import { isSigned } from "./dnssec.ts";
import { error, type Finding, ok, warning } from "./finding.ts";
import { findParent } from "./parent.ts";

const subject = { check: "delegation" } as const;
/** RFC 4034 section 5. */
const DS = 43;

/** Whether the parent zone leads to the servers that the zone itself names, with the right addresses, and these answer. */
export const checkDelegation: Check = async (context) => {
  const { asker, wire, zone } = context;
  const [child] = servingServers(context);
  if (child === undefined) return [];
  const parent = await findParent(context);
  if ("skipped" in parent) return [ok(subject, `not looked at: ${parent.skipped}`)];
  const where = `the parent zone's server ${addressAndPort(parent.server)}`;
  let referral: Message;
  try {
    referral = await asker.ask(parent.server, { name: wire, type: TYPE.NS, edns: "plain" });
  } catch (thrown) {
    return [warning(subject, `${where} does not answer: ${errorText(thrown)}`, "give another by --delegation-from ADDRESS:PORT")];
  }
  const delegated = hostsIn([...referral.answers, ...referral.authorities], wire);
  if (delegated.length === 0) {
    const said = referral.rcode === RCODE.NOERROR ? "has no NS records" : `answers ${rcodeName(referral.rcode)}`;
    return [
      error(
        subject,
        `${where} ${said} for ${zone}: the zone is not delegated, so no resolver finds it`,
        "add NS records, and glue, to the parent zone, as docs/dns/delegation.md says",
      ),
    ];
  }
  const named = hostsIn((await asker.ask(child, { name: wire, type: TYPE.NS })).answers, wire);
  const findings = [
    ...compareHosts(delegated, named, where),
    ...(await compareGlue(context, child, referral, delegated, where)),
    ...(await chainOfTrust(context, child, parent.server, where)),
  ];
  return findings.length > 0 ? findings : [ok(subject, `${where} leads to ${delegated.join(", ")}, as the zone itself says`)];
};

/** The hosts that NS records of the zone name, sorted. */
function hostsIn(records: readonly ResourceRecord[], zone: Uint8Array): readonly string[] {
  const ns = records.filter(({ type, name }) => type === TYPE.NS && Buffer.compare(name, zone) === 0);
  return ns.map(({ data }) => nameText(data)).sort();
}

function compareHosts(delegated: readonly string[], named: readonly string[], where: string): readonly Finding[] {
  const missing = named.filter((host) => !delegated.includes(host));
  const extra = delegated.filter((host) => !named.includes(host));
  const findings: Finding[] = [];
  if (extra.length > 0) {
    findings.push(
      error(
        subject,
        `${where} leads to ${extra.join(", ")}, which the zone does not name (it names ${named.join(", ") || "none"}): resolvers may ask a server that does not serve it`,
        "make the NS records of the parent zone and dns.nameservers (or the zone file's NS records) the same",
      ),
    );
  }
  if (missing.length > 0) {
    findings.push(
      warning(
        subject,
        `the zone names ${missing.join(", ")}, which ${where} does not lead to: these are asked only by resolvers that have met the zone before`,
        "make the NS records of the parent zone and dns.nameservers (or the zone file's NS records) the same",
      ),
    );
  }
  return findings;
}

/** The parent has to give the addresses of servers within the zone, and those have to be the servers'. */
async function compareGlue(
  context: CheckContext,
  child: CheckedServer,
  referral: Message,
  delegated: readonly string[],
  where: string,
): Promise<readonly Finding[]> {
  const { asker, wire } = context;
  const records = [...referral.answers, ...referral.authorities].filter(({ type }) => type === TYPE.NS);
  const findings: Finding[] = [];
  for (const host of delegated) {
    const name = records.find(({ data }) => nameText(data) === host)?.data;
    if (name === undefined || relativeLength(name, name.length, wire) < 0) continue;
    const glue = addressesOf(referral.additionals, name);
    const asked = [TYPE.A, TYPE.AAAA].map(async (type) => (await asker.ask(child, { name, type })).answers);
    const own = addressesOf((await Promise.all(asked)).flat(), name);
    if (glue.length === 0) {
      findings.push(
        error(
          subject,
          `${where} gives no address for ${host}, which lies in the zone itself: nobody can find it`,
          `add glue to the parent zone: ${host} with ${own.join(" and ") || "its address"}`,
        ),
      );
    } else if (glue.join() !== own.join()) {
      findings.push(
        error(
          subject,
          `${where} says that ${host} is at ${glue.join(", ")}, the zone says ${own.join(", ") || "nothing"}: resolvers ask the wrong host, or lose time`,
          "make the glue in the parent zone and the addresses in dns.nameservers (or the zone file) the same",
        ),
      );
    }
    for (const address of glue) if (!isLoopback(address)) findings.push(...(await answersThere(context, host, address)));
  }
  return findings;
}

/** Whether a server that resolvers are led to serves the zone at all. */
async function answersThere(
  { asker, wire, configured }: CheckContext,
  host: string,
  address: string,
): Promise<readonly Finding[]> {
  const server = { address, port: 53 };
  // Of those the first check has told.
  if (configured.some(({ name }) => name === addressAndPort(server))) return [];
  const lame = (why: string): readonly Finding[] => [
    error(
      { check: "delegation", server: { name: addressAndPort(server) } },
      `resolvers are led to ${host} there, ${why}`,
      "let it serve the zone on port 53, UDP and TCP, or take it out of the delegation",
    ),
  ];
  try {
    const answer = await asker.ask(server, { name: wire, type: TYPE.SOA });
    if (answer.rcode === RCODE.NOERROR && isAuthoritative(answer)) return [];
    return lame(
      `which does not serve the zone: it answers ${rcodeName(answer.rcode)}, ${isAuthoritative(answer) ? "with" : "without"} authority`,
    );
  } catch (thrown) {
    return lame(`which does not answer: ${errorText(thrown)}`);
  }
}

/** A DS record at the parent and keys in the zone have to come together (RFC 4035 section 5). */
async function chainOfTrust(
  context: CheckContext,
  child: CheckedServer,
  parent: { readonly address: string; readonly port: number },
  where: string,
): Promise<readonly Finding[]> {
  const { answers } = await context.asker.ask(parent, { name: context.wire, type: DS });
  const trusted = answers.some(({ type }) => type === DS);
  const signed = await isSigned(context, child);
  if (trusted && !signed) {
    return [
      error(
        { check: "dnssec", server: child },
        `${where} has a DS record, which says that the zone is signed, but it is not: resolvers that validate refuse every name`,
        "sign the zone, or remove the DS record from the parent zone",
      ),
    ];
  }
  if (!trusted && signed) {
    return [
      warning(
        { check: "dnssec", server: child },
        `the zone is signed, but ${where} has no DS record: nobody knows, so that nobody validates`,
        "add the DS record to the parent zone (BIND: dnssec-dsfromkey; Knot: keymgr ZONE ds)",
      ),
    ];
  }
  return [];
}

function addressesOf(records: readonly ResourceRecord[], host: Uint8Array): readonly string[] {
  const its = records.filter(({ type, name }) => (type === TYPE.A || type === TYPE.AAAA) && Buffer.compare(name, host) === 0);
  return its.map(({ data }) => addressText(data)).sort();
}
