import { Code, type IncomingRequest } from "../coap/index.ts";
import type { FailureCause } from "../control/index.ts";
import type { Instant } from "../lib/clock.ts";
import { BerthError, errorText } from "../lib/errors.ts";
import type { CompiledProfile, DiscoverAnswer, FreshKeys } from "../lwm2m/index.ts";
import type { BootstrapRequest, DeviceRequest, PackRequest } from "./bootstrap-request.ts";
import type { Caller } from "./caller.ts";
import type { Device } from "./device.ts";
import { NO_KEYS } from "./hand-overs.ts";
import { RETRY_AFTER, type Refusal } from "./refusal.ts";
import type { Opening as SessionOpening } from "./sessions.ts";

/** What the request and the profile have to say of a session. */
type Opening = Omit<SessionOpening, "counter">;

/**
 * What a client answers to Discover that has nothing but its bootstrap account, where no profile wants to write: enough to
 * see whether a profile fits the device.
 */
const BARE_CLIENT: DiscoverAnswer = { entries: [{ path: [0, 65_534] }] };

/**
 * What a session for `device` is to do, or why its profile does not let it be. All that can be known to be wrong is found
 * here, before the device is answered and before any key is handed over.
 */
export function openingOf(
  request: IncomingRequest<Caller>,
  wanted: DeviceRequest,
  device: Device,
  profile: CompiledProfile | undefined,
): Opening | Refusal {
  if (profile === undefined) return noConfig(`profile ${device.profile} is not known`);
  try {
    return wanted.kind === "pack"
      ? packOpening(request, wanted, device, profile)
      : requestOpening(request, wanted, device, profile);
  } catch (error) {
    if (!(error instanceof BerthError) || error.code !== "profile-mismatch") throw error;
    return noConfig(`profile ${device.profile} does not fit: ${errorText(error)}`);
  }
}

function requestOpening(
  request: IncomingRequest<Caller>,
  wanted: BootstrapRequest,
  device: Device,
  profile: CompiledProfile,
): Opening {
  let freshKeys: FreshKeys = placeholders(profile);
  const probe = profile.plan(device, { found: BARE_CLIENT, freshKeys });
  return {
    ...common(request, device, profile),
    work: {
      kind: "request",
      discovers: profile.discovers,
      formats: profile.formats(wanted.format),
      plan: (found) => {
        if (!profile.discovers && freshKeys.size === 0) return probe;
        return profile.plan(device, found === undefined ? { freshKeys } : { found, freshKeys });
      },
    },
    accept: (keys, now) => {
      freshKeys = keys;
      return request.respond({ code: Code.changed }, now);
    },
  };
}

function packOpening(
  request: IncomingRequest<Caller>,
  { accounts, format }: PackRequest,
  device: Device,
  profile: CompiledProfile,
): Opening | Refusal {
  const pack = (freshKeys: FreshKeys): Uint8Array | "cannot" =>
    profile.pack(device, accounts === undefined ? { freshKeys } : { accounts, freshKeys }, format);
  const probe = pack(placeholders(profile));
  if (probe === "cannot") {
    return { code: Code.methodNotAllowed, why: `profile ${device.profile} cannot be said in a Bootstrap-Pack` };
  }
  return {
    ...common(request, device, profile),
    work: { kind: "pack" },
    accept: (keys, now, onDelivery) => {
      const payload = keys.size === 0 ? probe : pack(keys);
      if (payload === "cannot") throw new BerthError("internal", "a Bootstrap-Pack that could be said a moment ago");
      return request.respond({ code: Code.content, contentFormat: format, payload }, now, onDelivery);
    },
  };
}

function common(
  request: IncomingRequest<Caller>,
  device: Device,
  profile: CompiledProfile,
): Pick<Opening, "caller" | "device" | "freshKeys" | "decline"> {
  return {
    caller: request.peer,
    device,
    freshKeys: profile.freshKeys,
    decline: (cause: FailureCause, now: Instant) => {
      const code = cause === "internal" ? Code.internalServerError : Code.serviceUnavailable;
      request.respond(code === Code.serviceUnavailable ? { code, maxAge: RETRY_AFTER } : { code }, now);
    },
  };
}

/** Keys of the right length that open nothing. */
function placeholders({ freshKeys }: CompiledProfile): FreshKeys {
  return freshKeys.length === 0
    ? NO_KEYS
    : new Map(freshKeys.map(({ shortServerId, bytes }) => [shortServerId, new Uint8Array(bytes)]));
}

function noConfig(why: string): Refusal {
  return { code: Code.badRequest, words: "no bootstrap config", profileAtFault: true, why };
}
