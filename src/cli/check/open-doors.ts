import { buildUpdate, FLAG, type Message, RCODE, rcodeName, readMessage, TYPE } from "../../dns/index.ts";
import { BerthError } from "../../lib/errors.ts";
import { RECURSION_AVAILABLE } from "./asker.ts";
import { type Check, onEach } from "./context.ts";
import { error, ok, warning } from "./finding.ts";

/** Whether a server gives the whole zone to anybody who asks (AXFR without a key, RFC 5936): it is the list of all live names. */
export const checkTransfer: Check = ({ asker, wire, servers }) =>
  onEach("transfer", servers, async (server) => {
    const subject = { check: "transfer", server };
    const answer = await withoutFailure(asker.ask(server, { name: wire, type: TYPE.AXFR, tcp: true }));
    const gives = answer !== undefined && answer.rcode === RCODE.NOERROR && answer.answers.length > 0;
    if (!gives) return [ok(subject, `refuses the whole zone to a stranger (${said(answer)})`)];
    return [
      error(
        subject,
        "it gives the whole zone to anybody who asks (AXFR without a key): that is the list of all live names, which are secrets",
        "allow transfers with the TSIG key only (BIND: allow-transfer { key berth; }; Knot: acl with key; NSD: provide-xfr with key), then run berth rotate",
      ),
    ];
  });

/** Whether a server takes updates that nobody signed. The update could not be carried out even so: its prerequisite does not hold. */
export const checkUpdate: Check = ({ asker, wire, servers }) =>
  onEach("update", servers, async (server) => {
    const subject = { check: "update", server };
    const prerequisites = [{ is: "no-name", name: new Uint8Array(0) }] as const;
    const update = buildUpdate({ id: asker.newId(), zone: wire, ttl: 0, prerequisites, changes: [] });
    const bytes = await withoutFailure(asker.send(server, update));
    const answer = bytes === undefined ? undefined : readMessage(bytes);
    const takes = answer !== undefined && (answer.rcode === RCODE.NOERROR || answer.rcode === RCODE.YXDOMAIN);
    if (!takes) return [ok(subject, `refuses an update without a key (${said(answer)})`)];
    return [
      error(
        subject,
        "it takes an update without a key from this host: whoever can send from its address can lead devices anywhere",
        "allow updates with the TSIG key only (BIND: update-policy { grant berth ...; }; Knot: acl with key), not by address",
      ),
    ];
  });

/** Whether an authoritative server also resolves names for others, which makes it a tool for attacks and its answers mixed ones. */
export const checkRecursion: Check = ({ asker, wire, servers }) =>
  onEach("recursion", servers, async (server) => {
    const subject = { check: "recursion", server };
    const { flags } = await asker.ask(server, { name: wire, type: TYPE.SOA, flags: FLAG.RECURSION_DESIRED });
    if ((flags & RECURSION_AVAILABLE) === 0) return [ok(subject, "offers no recursion")];
    return [
      warning(
        subject,
        "it offers recursion (RA): a server of the zone that also resolves for others can be used to attack others, and poisoned",
        "switch recursion off (BIND: recursion no;), or let another server do that",
      ),
    ];
  });

/** A server that hangs up on a stranger says no as well. */
async function withoutFailure<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof BerthError) return undefined;
    throw error;
  }
}

function said(answer: Message | undefined): string {
  return answer === undefined ? "no answer" : rcodeName(answer.rcode);
}
