import { type DeviceInput, SECURITY_MODES, type SecurityMode } from "../control/index.ts";
import { fromHex } from "../lib/bytes.ts";
import { InvalidInput } from "../lib/errors.ts";
import { deviceProblem } from "./device-record.ts";
import { fingerprintOf, parsePublicKey } from "./public-key.ts";
import type { DeviceRecord } from "./types.ts";

/** A device as it is given: its profile is left open where none is named. */
export type ImportedDevice = Omit<DeviceRecord, "profile"> & { readonly profile?: string };

/** A device as a file or the control API writes it, not looked at yet. */
export type DeviceText = Omit<DeviceInput, "mode"> & { readonly mode?: string | undefined };

/** Longer than this is no slip of the pen. */
const LONGEST_WORD = 16;

/**
 * Reads a device, and checks that it has what its mode needs and nothing that belongs to another.
 * @throws InvalidInput naming the field, and its value where that is no key
 */
export function parseDevice(text: DeviceText): ImportedDevice {
  const mode = modeOf(text);
  checkFields(text, mode);
  const publicKey = text.publicKey === undefined ? undefined : parsePublicKey(text.publicKey);
  const device: ImportedDevice = {
    endpoint: text.endpoint,
    mode,
    identity: publicKey === undefined ? (text.identity ?? text.endpoint) : fingerprintOf(publicKey),
    ...(publicKey === undefined ? {} : { publicKey }),
    ...(text.profile === undefined ? {} : { profile: text.profile }),
    group: text.group ?? null,
    ...(text.psk === undefined ? {} : { psk: fromHex(text.psk, "psk") }),
    ...(text.secret === undefined ? {} : { secret: fromHex(text.secret, "secret") }),
    attributes: text.attributes ?? {},
  };
  const problem = deviceProblem(device);
  if (problem !== undefined) throw new InvalidInput(problem);
  return device;
}

/** The secret a device's names are made of (N7): one of its own, or its key. @throws InvalidInput if it has none */
export function nameSecretOf({
  mode,
  psk,
  publicKey,
  secret,
}: Pick<DeviceRecord, "mode" | "psk" | "publicKey" | "secret">): Uint8Array {
  const found = secret ?? psk ?? publicKey;
  if (found === undefined) throw new InvalidInput(noSecret(mode));
  return found;
}

function noSecret(mode: SecurityMode): string {
  return `secret is missing: a device of mode ${mode} has no key here that its names could be made of`;
}

function modeOf({ mode, psk, publicKey }: DeviceText): SecurityMode {
  if (mode !== undefined) {
    const known = SECURITY_MODES.find((each) => each === mode);
    // Where columns are mixed up this is a key.
    const value = mode.length > LONGEST_WORD ? "its value" : `"${mode}"`;
    if (known === undefined) throw new InvalidInput(`mode: ${value} is none of ${SECURITY_MODES.join(", ")}`);
    return known;
  }
  if (psk !== undefined && publicKey !== undefined) throw new InvalidInput("psk and public key are both given; leave one out");
  if (psk !== undefined) return "psk";
  if (publicKey !== undefined) return "rpk";
  throw new InvalidInput("psk is missing; a device without one has a public key, or says that its mode is x509 or nosec");
}

function checkFields(text: DeviceText, mode: SecurityMode): void {
  checkField("psk", text.psk, mode, mode === "psk");
  checkField("public key", text.publicKey, mode, mode === "rpk");
  if (text.identity !== undefined && mode !== "psk") {
    throw new InvalidInput(`identity: "${text.identity}" is not used in mode ${mode}, only in mode psk; leave it out`);
  }
  if (text.psk === undefined && text.publicKey === undefined && text.secret === undefined) throw new InvalidInput(noSecret(mode));
}

function checkField(field: string, value: string | undefined, mode: SecurityMode, needed: boolean): void {
  if (needed && value === undefined) throw new InvalidInput(`${field} is missing, which mode ${mode} needs`);
  if (!needed && value !== undefined) throw new InvalidInput(`${field} is not used in mode ${mode}; leave it out`);
}
