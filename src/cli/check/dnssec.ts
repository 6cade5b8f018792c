import { type Message, type ResourceRecord, TYPE } from "../../dns/index.ts";
import { DnsFailure } from "../../net/index.ts";
import { within } from "./asker.ts";
import { type Check, type CheckContext, type CheckedServer, onEach, servingServers } from "./context.ts";
import { error, ok, warning } from "./finding.ts";

/** RFC 4034, RFC 5155. */
const DNSKEY = 48;
const RRSIG = 46;
const NSEC = 47;
const NSEC3 = 50;

/** Whether a server has the zone signed; one that does not take EDNS cannot. */
export async function isSigned({ asker, wire }: CheckContext, server: CheckedServer): Promise<boolean> {
  try {
    const { answers } = await asker.ask(server, { name: wire, type: DNSKEY, edns: "dnssec" });
    return answers.some(({ type }) => type === DNSKEY);
  } catch (error) {
    if (error instanceof DnsFailure) return false;
    throw error;
  }
}

/** For a zone that is signed: whether what proves that names do not exist tells a stranger which do, and whether signatures hold still. */
export const checkDnssec: Check = (context) =>
  onEach("dnssec", servingServers(context), async (server) => {
    const { asker, wire } = context;
    const subject = { check: "dnssec", server };
    if (!(await isSigned(context, server))) return [ok(subject, "the zone is not signed")];
    const name = within(asker.madeUpLabel(), wire);
    const denial = await asker.ask(server, { name, type: TYPE.A, edns: "dnssec" });
    const soa = await asker.ask(server, { name: wire, type: TYPE.SOA, edns: "dnssec" });
    return [denialFinding(subject, denial, name), signatureFinding(context, subject, soa)];
  });

type Subject = { readonly check: string; readonly server: CheckedServer };

function denialFinding(subject: Subject, { authorities }: Message, asked: Uint8Array) {
  const nsec = authorities.filter(({ type }) => type === NSEC);
  const nsec3 = authorities.find(({ type }) => type === NSEC3);
  if (nsec.length > 0) {
    if (nsec.every((record) => isMinimal(record, asked))) {
      return ok(subject, 'signed; says "no such name" by minimal NSEC, from which no name can be learnt');
    }
    return error(
      subject,
      'signed, and says "no such name" by NSEC that names the live names before and after: a stranger can walk the zone and list all live names, which are secrets',
      "sign with NSEC3 (BIND: nsec3param; Knot: nsec3: on), or with minimal denial while answering (Knot: mod-onlinesign; PowerDNS: narrow)",
    );
  }
  if (nsec3 === undefined) {
    return error(
      subject,
      'signed, but "no such name" comes without proof: resolvers that validate take it for forged',
      "let the server sign the zone anew",
    );
  }
  const iterations = new DataView(nsec3.data.buffer, nsec3.data.byteOffset).getUint16(2);
  if (iterations > 0) {
    return warning(
      subject,
      `signed with NSEC3 of ${iterations} more iterations: resolvers may treat such a zone as not signed (RFC 9276)`,
      "set iterations to 0, and the salt to none",
    );
  }
  return ok(subject, "signed with NSEC3: what a stranger gets are hashes of names");
}

/** Whether an NSEC record spans nothing but what was asked (RFC 4470, RFC 9824): its next name begins with a byte 0, or lies right behind. */
function isMinimal({ name, data }: ResourceRecord, asked: Uint8Array): boolean {
  const next = data.subarray(0, 2);
  if (next[0] === 1 && next[1] === 0) return true;
  // RFC 4470: both ends are made up around the name, so they share most of its letters.
  const shared = (other: Uint8Array): number => other.findIndex((byte, index) => index > 0 && byte !== asked[index]);
  return shared(name) > 12 && shared(data) > 12;
}

function signatureFinding({ clock }: CheckContext, subject: Subject, { answers }: Message) {
  const signature = answers.find(({ type }) => type === RRSIG);
  if (signature === undefined) {
    return error(subject, "it has keys (DNSKEY), but its SOA record is not signed", "let the server sign the zone anew");
  }
  // Behind type, algorithm, labels and TTL stand expiration and inception, in seconds (RFC 4034 section 3.1).
  const view = new DataView(signature.data.buffer, signature.data.byteOffset);
  const now = Math.floor(clock.now() / 1000);
  const left = view.getUint32(8) - now;
  const hours = Math.round(left / 3600);
  if (left < 0) {
    return error(
      subject,
      `its signatures expired ${-hours} h ago: resolvers that validate refuse every name`,
      "see why the server does not sign anew, and its clock",
    );
  }
  if (view.getUint32(12) > now) {
    return error(
      subject,
      "its signatures begin in the future: resolvers that validate refuse every name",
      "set the clocks of the server and of this host",
    );
  }
  if (left < 86_400) {
    return warning(subject, `its signatures expire in ${hours} h`, "see whether the server signs anew, and when");
  }
  return ok(subject, `its signatures hold for another ${hours} h`);
}
