import {
  buildUpdate,
  FLAG,
  type Message,
  MessageBuilder,
  OPCODE,
  RCODE,
  rcodeName,
  type TsigKey,
  TYPE,
} from "../../dns/index.ts";
import type { Milliseconds } from "../../lib/clock.ts";
import type { Asker } from "./asker.ts";
import { type Check, type CheckContext, type CheckedServer, onEach } from "./context.ts";
import { error, type Finding, ok, warning } from "./finding.ts";
import { sendSigned } from "./signed.ts";

/** Clocks may differ by 5 minutes (RFC 8945 section 10); half of that is a warning. */
const FUDGE: Milliseconds = 300_000;
const MUCH: Milliseconds = FUDGE / 2;
/** The time in a signature has whole seconds, and the answer takes a moment. */
const EXACT: Milliseconds = 2000;

/**
 * Whether each server that is spoken to with the key takes it, and whose clock is wrong. The update server gets an update that
 * changes nothing, as its prerequisite cannot hold; secondaries get a NOTIFY, which only makes them look.
 */
export const checkKey: Check = async (context) => {
  const { key, servers, dns } = context;
  if (key === undefined) return [];
  if ("unreadable" in key) {
    const seen = `the TSIG key cannot be read: ${key.unreadable}; so nothing that needs it was looked at, and the balancer does not start`;
    return [
      error({ check: "key" }, seen, "make it with tsig-keygen, give the server the same, and let only Berth's user read it"),
    ];
  }
  const spokenTo = servers.filter(({ roles }) => roles.some((role) => role === "update" || role === "secondary"));
  const own = dns.registry === "primary" ? servers.filter(({ roles }) => roles.includes("own")) : [];
  return onEach("key", [...own, ...spokenTo], (server) => checkOne(context, key, server));
};

async function checkOne(context: CheckContext, key: TsigKey, server: CheckedServer): Promise<readonly Finding[]> {
  const { asker, clock } = context;
  const subject = { check: "key", server };
  const named = `the TSIG key "${key.name}" (${key.algorithm})`;
  const outcome = await sendSigned(asker, server, messageFor(context, asker, server), key, clock);
  switch (outcome.is) {
    case "bad-key":
      return [
        error(
          subject,
          `it does not know ${named} (BADKEY): nothing that Berth signs is taken`,
          "give the server the key, with exactly this name and algorithm, and reload it",
        ),
      ];
    case "bad-signature":
      return [
        error(
          subject,
          `it knows ${named}, but with another secret (BADSIG): nothing that Berth signs is taken`,
          "copy the secret from one side to the other; it is base64, on one line",
        ),
      ];
    case "bad-time":
      return [ok(subject, `it knows ${named}`), clockFinding(server, outcome.ahead)];
    case "unsigned":
      return [unsigned(server, named, outcome.rcode)];
    case "answered": {
      const clocks = Math.abs(outcome.ahead) > MUCH ? clockFinding(server, outcome.ahead) : undefined;
      return [
        allowed(context, server, named, outcome.answer),
        clocks ?? ok({ check: "clock", server }, `its clock and this host's differ by ${spanText(outcome.ahead)}`),
      ];
    }
  }
}

/** Something signed that changes nothing. */
function messageFor({ wire }: CheckContext, asker: Asker, { roles }: CheckedServer): Uint8Array {
  const id = asker.newId();
  if (roles.includes("update")) {
    // The zone's own name is in use always, so the update is never carried out.
    const prerequisites = [{ is: "no-name", name: new Uint8Array(0) }] as const;
    return buildUpdate({ id, zone: wire, ttl: 0, prerequisites, changes: [] });
  }
  const notify = roles.includes("secondary");
  const head = notify ? { id, opcode: OPCODE.NOTIFY, flags: FLAG.AUTHORITATIVE } : { id };
  return new MessageBuilder(head).question(wire, TYPE.SOA).finish();
}

/** What it says when the key is right. */
function allowed({ zone }: CheckContext, server: CheckedServer, named: string, { rcode }: Message): Finding {
  const subject = { check: "key", server };
  const { roles } = server;
  if (roles.includes("update")) {
    if (rcode === RCODE.YXDOMAIN || rcode === RCODE.NOERROR) return ok(subject, `takes updates of ${zone} with ${named}`);
    return error(
      subject,
      `it knows ${named}, but answers ${rcodeName(rcode)} to an update of ${zone}: the key may not update this zone`,
      "allow the key to update A, AAAA and TXT records of the zone, as docs/dns says for this server",
    );
  }
  if (rcode === RCODE.NOERROR) return ok(subject, roles.includes("secondary") ? `takes NOTIFY with ${named}` : `knows ${named}`);
  if (!roles.includes("secondary")) {
    return error(subject, `it knows ${named}, but answers ${rcodeName(rcode)}`, "look at its log for why");
  }
  return error(
    { check: "notify", server },
    `it answers ${rcodeName(rcode)} to NOTIFY: it does not look when names change, but only when it refreshes by itself`,
    "allow NOTIFY with the key, or from this host, as docs/dns says for this server",
  );
}

/** PowerDNS, for one, says nothing more than no. */
function unsigned(server: CheckedServer, named: string, rcode: string): Finding {
  const notify = server.roles.includes("secondary");
  const subject = { check: notify ? "notify" : "key", server };
  if (rcode === "REFUSED" || rcode === "NOTAUTH") {
    return error(
      subject,
      `it refuses a message signed with ${named}, and does not say why (${rcode}): it does not have the key, has it with another secret, does not allow it that, or the clocks differ by more than 5 min`,
      "compare name, algorithm and secret of the key on both sides, what the key may do there, and the clocks of both hosts",
    );
  }
  return error(
    subject,
    `it answers ${rcode} to a message signed with ${named}, without a signature: it does not look at signatures there`,
    notify
      ? "configure the zone as a secondary that takes NOTIFY with the key, as docs/dns says for this server"
      : "configure the key, and what it may do, as docs/dns says for this server",
  );
}

function clockFinding(server: CheckedServer, ahead: Milliseconds | undefined): Finding {
  const subject = { check: "clock", server };
  const advice = "set the clocks of both hosts, best by NTP; names go by the time too";
  if (ahead === undefined) {
    return error(subject, "it refuses signatures for their time (BADTIME): the clocks differ by more than 5 minutes", advice);
  }
  const which = ahead > 0 ? "ahead of" : "behind";
  const words = `the clock of this host is ${spanText(ahead)} ${which} that of the server`;
  if (Math.abs(ahead) <= FUDGE) return warning(subject, `${words}; from 5 min on it takes nothing that is signed`, advice);
  return error(subject, `${words}: it takes nothing that is signed (BADTIME)`, advice);
}

/** A span as people say it. */
function spanText(span: Milliseconds): string {
  const size = Math.abs(span);
  if (size <= EXACT) return "less than 2 s";
  if (size < 120_000) return `${Math.round(size / 1000)} s`;
  return size < 7_200_000 ? `${Math.round(size / 60_000)} min` : `${Math.round(size / 3_600_000)} h`;
}
