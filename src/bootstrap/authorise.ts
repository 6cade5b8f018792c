import { Code, type IncomingRequest } from "../coap/index.ts";
import type { Instant } from "../lib/clock.ts";
import type { Caller, Proven } from "./caller.ts";
import type { Device } from "./device.ts";
import type { LookupOutcome, Lookups } from "./lookups.ts";
import { checkName, type FleetNaming, type NameVerdict } from "./name-check.ts";
import { RETRY_AFTER, type Refusal, refuse } from "./refusal.ts";

/**
 * Looks for the device that asks: by what its handshake has proven, as far as that names a device, else by what it says
 * to be. Of a certificate's names it must be one, so nobody can make the instance ask the balancer for others.
 */
export function find(
  { proven }: Caller,
  endpoint: string | undefined,
  lookups: Lookups,
): LookupOutcome | Promise<LookupOutcome> | Refusal {
  if (proven === undefined) return lookups.byEndpoint(endpoint ?? "");
  if (proven.mode !== "x509") return lookups.byIdentity(proven.identity);
  const named = endpoint ?? proven.names[0];
  if (named === undefined || !proven.names.includes(named)) return NOT_NAMED;
  return lookups.byEndpoint(named);
}

const NOT_NAMED: Refusal = refuse("Unauthorized", "the certificate does not name the endpoint");

/** Everything the checks look at. */
interface Claim {
  readonly request: IncomingRequest<Caller>;
  /** The endpoint client name, if the device has given one. */
  readonly endpoint: string | undefined;
  readonly device: Device;
  readonly fleet: FleetNaming;
  readonly instant: Instant;
}

/** A device that is to be bootstrapped. */
export interface Authorised {
  readonly device: Device;
  /** The counter of the name it used, with a recipe that has one and a name that was seen. */
  readonly counter: number | undefined;
}

/** The device that is to be bootstrapped, or why it is not (S1, S2). `found` is what the directory and the balancer know of it. */
export function authorise(
  request: IncomingRequest<Caller>,
  endpoint: string | undefined,
  found: LookupOutcome,
  fleet: FleetNaming | undefined,
  instant: Instant,
): Authorised | Refusal {
  if (found === "unavailable" || fleet === undefined) {
    return { code: Code.serviceUnavailable, maxAge: RETRY_AFTER, why: "the balancer could not be asked about the device" };
  }
  if (found === "unknown") return refuse("Unauthorized", "the device is not known");
  if (found === "elsewhere") return refuse("Unauthorized", "the device belongs to another instance");
  if (found === "completed")
    return refuse("no bootstrap config", "the device has completed its bootstrap and is not armed again");
  const claim = { request, endpoint, device: found, fleet, instant };
  const refusal = identityOwnsEndpoint(claim);
  if (refusal !== undefined) return refusal;
  const name = nameOf(claim);
  if (name.kind === "wrong") return refuse("Unauthorized", "the name the device used is not a live name of it");
  return { device: found, counter: name.kind === "live" ? name.counter : undefined };
}

/**
 * What the handshake has proven must be what the endpoint is to prove (LwM2M Transport Binding 1.1, section 5.2); on
 * NoSec nothing can be compared.
 */
function identityOwnsEndpoint({ request, endpoint, device }: Claim): Refusal | undefined {
  const { proven } = request.peer;
  if (proven === undefined) return undefined;
  if (proven.mode !== device.mode) return refuse("Unauthorized", wrongMode(device, proven.mode));
  if (owns(proven, device) && (endpoint ?? device.endpoint) === device.endpoint) return undefined;
  return refuse("Unauthorized", "the identity does not belong to the endpoint");
}

function owns(proven: Proven, device: Device): boolean {
  if (proven.mode === "x509") return proven.names.includes(device.endpoint);
  return proven.identity === device.identity;
}

/** For the log: a device must not be able to choose the weakest of several ways. */
export function wrongMode(device: Device, mode: Proven["mode"]): string {
  return `the device is to prove itself by ${device.mode}, not by ${mode}`;
}

/**
 * A name the device sent must be one of its live ones. Where none is sent, that the device is assigned to this
 * instance has to do, which finding it has shown.
 */
function nameOf({ request, device, fleet, instant }: Claim): NameVerdict {
  const seen = {
    serverName: request.peer.serverName,
    uriHost: request.uriHost,
    path: request.path.slice(0, -1),
    query: request.query,
  };
  return checkName(fleet, device, seen, instant);
}
