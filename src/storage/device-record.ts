import type { DeviceRecord } from "./types.ts";

/** What every implementation of PSK supports (RFC 4279, 5.3); more, and a client may refuse it. */
const MAX_IDENTITY_BYTES = 128;
const MAX_PSK_BYTES = 64;
/** Names in DNS are made of the key, so a short one could be found by trial without ever meeting the device. */
const MIN_KEY_BYTES = 16;
/** A secret of its own is no DTLS key, so OpenSSL's limit does not hold for it; a certificate may stand here. */
const MAX_SECRET_BYTES = 4096;
/** A Bootstrap-Request carries it as `ep=...` in a Uri-Query option, which has at most 255 bytes (RFC 7252, 5.10). */
const MAX_ENDPOINT_BYTES = 252;
/** Names of profiles and groups. */
const MAX_NAME_BYTES = 128;
/** All attributes of a device together. */
const MAX_ATTRIBUTES_BYTES = 16_384;

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
const CONTROL_OR_LONE_SURROGATE = /[\u0000-\u001f\u007f-\u009f\p{Surrogate}]/u;

/**
 * What is wrong with a device, in words that name the field and never hold a secret; undefined if it can be stored.
 */
export function deviceProblem(
  device: Omit<DeviceRecord, "profile"> & Partial<Pick<DeviceRecord, "profile">>,
): string | undefined {
  return (
    textProblem("endpoint", device.endpoint, MAX_ENDPOINT_BYTES) ??
    (device.mode === "psk" ? textProblem("identity", device.identity, MAX_IDENTITY_BYTES) : undefined) ??
    (device.profile === undefined ? undefined : textProblem("profile", device.profile, MAX_NAME_BYTES)) ??
    (device.group === null ? undefined : textProblem("group", device.group, MAX_NAME_BYTES)) ??
    (device.psk === undefined ? undefined : bytesProblem("psk", device.psk, MAX_PSK_BYTES)) ??
    (device.secret === undefined ? undefined : bytesProblem("secret", device.secret, MAX_SECRET_BYTES)) ??
    attributesProblem(device.attributes)
  );
}

function textProblem(field: string, text: string, maximum: number): string | undefined {
  if (text === "") return `${field} is empty`;
  const length = Buffer.byteLength(text);
  if (length > maximum) return `${field} has ${length} bytes, at most ${maximum} are allowed`;
  return CONTROL_OR_LONE_SURROGATE.test(text) ? `${field} holds a control character` : undefined;
}

function bytesProblem(field: string, bytes: Uint8Array, maximum: number): string | undefined {
  const length = bytes.byteLength;
  if (length < MIN_KEY_BYTES) return `${field} has ${length} bytes, at least ${MIN_KEY_BYTES} are needed`;
  return length > maximum ? `${field} has ${length} bytes, at most ${maximum} are allowed` : undefined;
}

function attributesProblem(attributes: Readonly<Record<string, string>>): string | undefined {
  const length = Buffer.byteLength(JSON.stringify(attributes));
  return length > MAX_ATTRIBUTES_BYTES
    ? `attributes have ${length} bytes together, at most ${MAX_ATTRIBUTES_BYTES} are allowed`
    : undefined;
}
