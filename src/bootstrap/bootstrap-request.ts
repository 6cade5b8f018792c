import { Code, type IncomingRequest, type ResponseCode } from "../coap/index.ts";
import type { Instant } from "../lib/clock.ts";
import { isWriteFormat } from "../lwm2m/index.ts";
import type { Caller } from "./caller.ts";
import type { Device } from "./device.ts";
import type { LookupOutcome } from "./lookups.ts";
import { checkName, type FleetNaming } from "./name-check.ts";

/** Why a request is not served: the answer, and for the log what lies behind it, which a stranger is not told. */
export interface Refusal {
  readonly code: ResponseCode;
  /** The answer's payload; in 4.00 the words Leshan uses where it has the case. */
  readonly words?: string;
  readonly maxAge?: number;
  /** One line for the log. */
  readonly why: string;
}

/** What a Bootstrap-Request asks for: `POST /bs?ep=..&pct=..` (LwM2M Core 1.1, section 6.1.7.1). */
export interface BootstrapRequest {
  /** The endpoint client name; a device may leave it out when its security identity says it. */
  readonly endpoint: string | undefined;
  /** `pct`, the Content-Format the device prefers. */
  readonly format: number | undefined;
}

/** Seconds a device is asked to wait when the balancer cannot be asked about it. */
const RETRY_AFTER = 30;

/** Reads a Bootstrap-Request, or says why it is none. */
export function readBootstrapRequest(request: IncomingRequest<Caller>): BootstrapRequest | Refusal {
  if (!request.confirmable) return refuse("CON CoAP type expected", "the Bootstrap-Request is not confirmable");
  let endpoint: string | undefined;
  let format: number | undefined;
  for (const argument of request.query) {
    if (argument.startsWith("ep=")) endpoint ??= argument.slice(3);
    else if (argument.startsWith("pct=")) {
      if (!/^\d{1,5}$/.test(argument.slice(4))) return refuse("pct is not a number", "pct is not a content format");
      format ??= Number(argument.slice(4));
    }
  }
  if (endpoint === "" || (endpoint === undefined && request.peer.identity === undefined)) {
    return refuse("endpoint name missing", "the Bootstrap-Request names no endpoint");
  }
  if (format !== undefined && !isWriteFormat(format)) {
    return { code: Code.unsupportedContentFormat, why: "the device prefers a content format that is not supported" };
  }
  return { endpoint, format };
}

/** Everything the checks look at. */
interface Claim {
  readonly request: IncomingRequest<Caller>;
  readonly wanted: BootstrapRequest;
  readonly device: Device;
  readonly fleet: FleetNaming;
  readonly instant: Instant;
}

/** What a device must fulfil, in this order, to be bootstrapped here (S1, S2). */
const CHECKS: readonly ((claim: Claim) => Refusal | undefined)[] = [identityOwnsEndpoint, nameIsLive];

/** The device that is to be bootstrapped, or why it is not. `found` is what the directory and the balancer know of it. */
export function authorise(
  request: IncomingRequest<Caller>,
  wanted: BootstrapRequest,
  found: LookupOutcome,
  fleet: FleetNaming | undefined,
  instant: Instant,
): Device | Refusal {
  if (found === "unavailable" || fleet === undefined) {
    return { code: Code.serviceUnavailable, maxAge: RETRY_AFTER, why: "the balancer could not be asked about the device" };
  }
  if (found === "unknown") return refuse("Unauthorized", "the device is not known");
  if (found === "elsewhere") return refuse("Unauthorized", "the device belongs to another instance");
  if (found === "completed")
    return refuse("no bootstrap config", "the device has completed its bootstrap and is not armed again");
  for (const check of CHECKS) {
    const refusal = check({ request, wanted, device: found, fleet, instant });
    if (refusal !== undefined) return refusal;
  }
  return found;
}

/** The identity DTLS has proven must be that of the endpoint the device says to be; on NoSec nothing can be compared. */
function identityOwnsEndpoint({ request, wanted, device }: Claim): Refusal | undefined {
  if (request.peer.identity === undefined) return undefined;
  if (wanted.endpoint === undefined || wanted.endpoint === device.endpoint) return undefined;
  return refuse("Unauthorized", "the identity does not belong to the endpoint");
}

/**
 * A name the device sent must be one of its live ones. Where none is sent, that the device is assigned to this
 * instance has to do, which finding it has shown.
 */
function nameIsLive({ request, device, fleet, instant }: Claim): Refusal | undefined {
  const seen = {
    serverName: request.peer.serverName,
    uriHost: request.uriHost,
    path: request.path.slice(0, -1),
    query: request.query,
  };
  if (checkName(fleet, device, seen, instant) !== "wrong") return undefined;
  return refuse("Unauthorized", "the name the device used is not a live name of it");
}

/** Whether it is a refusal, not what was asked for. */
export function isRefusal(outcome: object): outcome is Refusal {
  return "why" in outcome;
}

/** LwM2M answers everything that is wrong with a Bootstrap-Request by 4.00, but for the format. */
function refuse(words: string, why: string): Refusal {
  return { code: Code.badRequest, words, why };
}
