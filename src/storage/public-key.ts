import { createHash, createPublicKey, type KeyObject } from "node:crypto";
import { fromHex } from "../lib/bytes.ts";
import { InvalidInput } from "../lib/errors.ts";

const PEM = /^\s*-----BEGIN ([A-Z0-9 ]+)-----([\sA-Za-z0-9+/=]*)-----END \1-----\s*$/;
const SPKI_LABEL = "PUBLIC KEY";
/** Kinds a handshake can be signed with; the others only agree on keys. */
const SIGNING_KEYS: readonly (string | undefined)[] = ["ec", "ed25519", "ed448", "rsa", "rsa-pss"];

/**
 * A raw public key (RFC 7250) from its text: SubjectPublicKeyInfo, in hex or as PEM.
 * @returns the SubjectPublicKeyInfo in DER, as the device sends it
 * @throws InvalidInput; what was given is not repeated, as it may be a private key by mistake
 */
export function parsePublicKey(text: string): Uint8Array {
  const spki = text.includes("-----") ? fromPem(text) : fromHex(text.trim(), "public key");
  const key = keyOf(spki);
  // OpenSSL reads over what stands behind the key; the device would not send it.
  if (key === undefined || !key.export({ format: "der", type: "spki" }).equals(spki)) {
    throw new InvalidInput(`public key: ${spki.byteLength} bytes that are no SubjectPublicKeyInfo in DER`);
  }
  if (!SIGNING_KEYS.includes(key.asymmetricKeyType)) {
    throw new InvalidInput(`public key: with a key of type ${key.asymmetricKeyType} nothing can be signed`);
  }
  return spki;
}

/** What stands for a raw public key where an identity is asked for: its SHA-256, in lower-case hex. */
export function fingerprintOf(spki: Uint8Array): string {
  return createHash("sha256").update(spki).digest("hex");
}

function fromPem(text: string): Uint8Array {
  const [, label, body = ""] = PEM.exec(text) ?? [];
  if (label === undefined) throw new InvalidInput("public key: the PEM is damaged, or more than one");
  if (label !== SPKI_LABEL) throw new InvalidInput(`public key: the PEM holds a ${label}, not a ${SPKI_LABEL}`);
  return new Uint8Array(Buffer.from(body, "base64"));
}

function keyOf(spki: Uint8Array): KeyObject | undefined {
  try {
    return createPublicKey({ key: Buffer.from(spki), format: "der", type: "spki" });
  } catch {
    return undefined;
  }
}
