import { BerthError, errorText } from "../../lib/errors.ts";
import { lookForAnswers } from "./answers.ts";
import { checkBalancer } from "./balancer.ts";
import { checkConfiguration } from "./configuration.ts";
import type { Check, CheckContext } from "./context.ts";
import { checkDelegation } from "./delegation.ts";
import { checkDnssec } from "./dnssec.ts";
import { checkEdns } from "./edns.ts";
import { error, type Finding } from "./finding.ts";
import { checkKey } from "./key.ts";
import { checkLiveNames } from "./live-name.ts";
import { checkRecursion, checkTransfer, checkUpdate } from "./open-doors.ts";
import { checkOwner } from "./owner.ts";
import { checkResolver } from "./resolver.ts";
import { checkSerial } from "./serial.ts";
import { checkTtl } from "./ttl.ts";
import { checkWildcard } from "./wildcard.ts";

export { Asker, type Carrier } from "./asker.ts";
export type { BalancerFacts, CheckContext, CheckedServer, LiveName, Role } from "./context.ts";
export type { Finding } from "./finding.ts";

/** In the order in which they are told: what others follow from comes first. */
const CHECKS: readonly (readonly [name: string, check: Check])[] = [
  ["owner", checkOwner],
  ["serial", checkSerial],
  ["names", checkLiveNames],
  ["ttl", checkTtl],
  ["wildcard", checkWildcard],
  ["transfer", checkTransfer],
  ["update", checkUpdate],
  ["recursion", checkRecursion],
  ["edns", checkEdns],
  ["dnssec", checkDnssec],
  ["delegation", checkDelegation],
  ["resolver", checkResolver],
];

/** Runs all checks. What a server says that does not serve the zone is told once, and it is left out of the rest. */
export async function runChecks(context: CheckContext): Promise<readonly Finding[]> {
  const { findings: answers, reachable, serving } = await lookForAnswers(context);
  // A secondary that cannot serve for want of the right key is to be told so.
  const key = await guarded("key", checkKey, { ...context, servers: reachable });
  const findings = [...(await checkConfiguration(context)), ...(await checkBalancer(context)), ...answers, ...key];
  for (const [name, check] of CHECKS) findings.push(...(await guarded(name, check, { ...context, servers: serving })));
  return findings;
}

/** A server that falls silent in the middle is a finding like others. */
async function guarded(name: string, check: Check, context: CheckContext): Promise<readonly Finding[]> {
  try {
    return await check(context);
  } catch (thrown) {
    if (!(thrown instanceof BerthError)) throw thrown;
    return [error({ check: name }, `it could not be finished: ${errorText(thrown)}`, "run it again")];
  }
}
