import { formatDuration } from "../../lib/duration.ts";
import type { Check } from "./context.ts";
import { error, type Finding, ok, warning } from "./finding.ts";

const subject = { check: "balancer" } as const;

/** What is to be done about each state in which names do not get out. */
const ADVICE = {
  behind: "if it stays so, see checks key, clock and serial, and the balancer's log",
  failing: "see checks answers, key, clock and owner, and the balancer's log; it tries again by itself",
  held: "see that the numbers are right, then: berth confirm",
  fenced:
    "stop this balancer; another one has taken the zone over. If there is none, delete the owner record, then: berth compare",
  waiting: "nothing, if another balancer leads; else see that the database can be reached",
} as const;

/** What the balancer itself says of publication. */
export const checkBalancer: Check = async ({ balancer, clock }) => {
  if ("unreachable" in balancer) {
    return [
      warning(
        subject,
        `it cannot be asked: ${balancer.unreachable}; what it publishes, and whether live names lead to their instances, was not looked at`,
        "start the balancer, or say where it is (--url, --token-file)",
      ),
    ];
  }
  const { publication, held } = balancer;
  const findings: Finding[] = held.map(({ what, explanation }) =>
    error(subject, `it holds a change (${what}): ${explanation}`, ADVICE.held),
  );
  if (publication !== null && publication.state !== "following") {
    const { state, waiting, since, explanation } = publication;
    const span = since === null ? 0 : Math.max(0, Math.round((clock.now() - since) / 1000) * 1000);
    const words = `publication is ${state}: ${waiting} changes wait${since === null ? "" : `, since ${formatDuration(span)}`}${explanation === null ? "" : `; ${explanation}`}`;
    const bad = state === "failing" || state === "held" || state === "fenced";
    if (bad) findings.push(error(subject, words, ADVICE[state]));
    // Changes are under way at any time.
    else if (state === "waiting" || span > 10_000) findings.push(warning(subject, words, ADVICE[state]));
  }
  for (const { server, problem } of publication?.servers ?? []) {
    if (problem !== null)
      findings.push(warning({ ...subject, server: { name: server } }, `as the balancer sees it: ${problem}`, ADVICE.behind));
  }
  const lag = publication?.lastLag ?? null;
  const all = lag === null ? "" : `; the last change took ${formatDuration(lag)} until all servers had it`;
  return findings.length > 0 ? findings : [ok(subject, `it is up, and what it decides is published${all}`)];
};
