import {
  ErrorAnswer,
  MalformedMessage,
  RCODE,
  RegistryFenced,
  RegistryHeld,
  RegistryRefused,
  RegistryUnavailable,
  TsigError,
} from "../dns/index.ts";
import type { Instant } from "../lib/clock.ts";
import { type BerthError, errorText } from "../lib/errors.ts";
import { DnsFailure } from "../net/index.ts";

/** The owner record is not what it was, or somebody has changed another TXT record of the zone's name. */
export function isPrerequisiteFailure(error: unknown): boolean {
  return error instanceof ErrorAnswer && (error.rcode === RCODE.NXRRSET || error.rcode === RCODE.YXRRSET);
}

/** Whether nobody knows if what was asked for has been done, or will be. */
export function isUnknownOutcome(error: unknown): boolean {
  return error instanceof DnsFailure || error instanceof MalformedMessage || error instanceof RegistryUnavailable;
}

/** Whether the same may go well in a moment. */
export function isPassing(error: unknown): boolean {
  const isServfail = error instanceof ErrorAnswer && error.rcode === RCODE.SERVFAIL;
  return isServfail || isPrerequisiteFailure(error) || isUnknownOutcome(error);
}

/** What went wrong between this registry and its server, in the words of a registry. */
export function registryError(error: unknown, server: string, now: Instant): BerthError {
  if (error instanceof RegistryUnavailable || error instanceof RegistryRefused) return error;
  if (error instanceof RegistryFenced || error instanceof RegistryHeld) return error;
  if (error instanceof TsigError) return keyOrClock(error, server, now);
  if (error instanceof ErrorAnswer) return refusal(error, server);
  if (!(error instanceof DnsFailure))
    return new RegistryUnavailable("connection", `${server}: ${errorText(error)}`, { cause: error });
  return new RegistryUnavailable(error.code === "timeout" ? "timeout" : "connection", error.message, { cause: error });
}

function keyOrClock(error: TsigError, server: string, now: Instant): RegistryRefused {
  if (error.code !== "bad-time") {
    return new RegistryRefused("bad-key", `${server}: ${error.message}; look at key name, algorithm and secret on both sides`);
  }
  const ahead = error.serverTime === undefined ? undefined : Math.round((error.serverTime - now) / 1000);
  const by = ahead === undefined ? error.message : `its clock is ${Math.abs(ahead)} s ${ahead > 0 ? "ahead of" : "behind"} ours`;
  return new RegistryRefused("bad-time", `${server}: ${by}, and signatures hold for 300 s; set both clocks by NTP`);
}

function refusal(error: ErrorAnswer, server: string): BerthError {
  const { message } = error;
  switch (error.rcode) {
    case RCODE.SERVFAIL:
      return new RegistryUnavailable("servfail", `${server}: ${message}; its log says why`);
    case RCODE.YXRRSET:
    case RCODE.NXRRSET:
      return new RegistryUnavailable("busy", `${server}: ${message}: somebody else changes the TXT records of the zone's name`);
    case RCODE.NOTAUTH:
    case RCODE.NOTZONE:
      return new RegistryRefused("not-authoritative", `${server}: ${message}; is it primary of this zone?`);
    default:
      return new RegistryRefused("refused", `${server}: ${message}; does it let this key do that, for A, AAAA and TXT?`);
  }
}
