import { RCODE, rcodeName, TYPE } from "../../dns/index.ts";
import { errorText } from "../../lib/errors.ts";
import { isAuthoritative, serialIn } from "./asker.ts";
import type { CheckContext, CheckedServer } from "./context.ts";
import { error, type Finding, ok } from "./finding.ts";

/** Which servers answer. */
export interface Answering {
  readonly findings: readonly Finding[];
  /** Those that say anything at all over UDP. */
  readonly reachable: readonly CheckedServer[];
  /** Those that serve the zone. */
  readonly serving: readonly CheckedServer[];
}

/** Whether each server answers for the zone, with authority, over UDP and TCP (RFC 7766 section 5). */
export async function lookForAnswers(context: CheckContext): Promise<Answering> {
  const { servers } = context;
  const looked = await Promise.all(servers.map(async (server) => ({ server, ...(await lookAt(context, server)) })));
  return {
    findings: looked.flatMap(({ findings }) => findings),
    reachable: looked.filter(({ reachable }) => reachable).map(({ server }) => server),
    serving: looked.filter(({ serving }) => serving).map(({ server }) => server),
  };
}

async function lookAt(
  { zone, wire, asker }: CheckContext,
  server: CheckedServer,
): Promise<{ readonly findings: readonly Finding[]; readonly reachable: boolean; readonly serving: boolean }> {
  const subject = { check: "answers", server };
  const findings: Finding[] = [];
  const look = async (transport: "UDP" | "TCP"): Promise<"silent" | "useless" | "serves"> => {
    const add = (seen: string, advice: string): void => void findings.push(error(subject, `over ${transport} ${seen}`, advice));
    try {
      const answer = await asker.ask(server, { name: wire, type: TYPE.SOA, tcp: transport === "TCP" });
      const { rcode } = answer;
      const serial = serialIn(answer);
      if (rcode !== RCODE.NOERROR) add(meaning(rcode, zone), remedy(rcode));
      else if (!isAuthoritative(answer)) {
        const seen = `it answers without authority (no AA): it does not serve ${zone} itself, but knows somebody who does`;
        add(seen, "give the address of an authoritative server, not of a resolver");
      } else if (serial === undefined) {
        const seen = `it answers without a SOA record of ${zone}: that is not where the zone begins on this server`;
        add(seen, `configure a zone of its own for ${zone}, with exactly this name`);
      } else {
        return "serves";
      }
      return "useless";
    } catch (thrown) {
      add(`it does not answer: ${errorText(thrown)}`, SILENCE_ADVICE[transport]);
      return "silent";
    }
  };
  const udp = await look("UDP");
  await look("TCP");
  if (findings.length === 0) findings.push(ok(subject, `serves ${zone} over UDP and TCP`));
  return { findings, reachable: udp !== "silent", serving: udp === "serves" };
}

const SILENCE_ADVICE = {
  UDP: "see that the server runs and listens there, and that no firewall is in between",
  TCP: "let it listen on TCP too, and open the port in the firewall: resolvers need it for what does not fit a datagram",
} as const;

function meaning(rcode: number, zone: string): string {
  switch (rcode) {
    case RCODE.SERVFAIL:
      return "it fails (SERVFAIL): it has not loaded the zone, or the zone has expired, as it could not be refreshed for too long";
    case RCODE.REFUSED:
    case RCODE.NOTAUTH:
      return `it refuses (${rcodeName(rcode)}): ${zone} is not configured there, or this host may not ask`;
    default:
      return `it answers ${rcodeName(rcode)} when asked for the SOA record of ${zone}`;
  }
}

function remedy(rcode: number): string {
  return rcode === RCODE.SERVFAIL
    ? "look at that server's log for why; a secondary has to reach its primary with the right key"
    : "configure the zone there as in docs/dns, and let the server be asked";
}
