import { createPrivateKey, createPublicKey, X509Certificate } from "node:crypto";
import { fromHex } from "../lib/bytes.ts";
import { InvalidInput } from "../lib/errors.ts";
import { SECURITY_MODE } from "./security-mode.ts";

/** What a resource of key material holds, each in DER: X.509, SubjectPublicKeyInfo (RFC 7250), PKCS #8. */
export type KeyKind = "certificate" | "public-key" | "private-key";

const KINDS: Readonly<Record<KeyKind, string>> = {
  certificate: "an X.509 certificate",
  "public-key": "a SubjectPublicKeyInfo",
  "private-key": "a PKCS #8 private key",
};

/** What /0/x/3, 4 and 5 hold in a security mode; undefined where it is no DER. */
export function keyKind(mode: number, resourceId: number): KeyKind | undefined {
  if (mode !== SECURITY_MODE.rpk && mode !== SECURITY_MODE.x509) return undefined;
  if (resourceId === 5) return "private-key";
  if (resourceId !== 3 && resourceId !== 4) return undefined;
  return mode === SECURITY_MODE.rpk ? "public-key" : "certificate";
}

/**
 * The DER of a PEM text, or of hex or base64 (DER starts with 0x30, so that in base64 it starts with an M, which is no
 * hex digit). A private key of OpenSSL's own form becomes PKCS #8.
 * @throws InvalidInput without the value
 */
export function readDer(text: string): Uint8Array {
  if (text.includes("-----BEGIN")) return readPem(text);
  const bare = text.replaceAll(/\s/g, "");
  if (/^[0-9a-fA-F]*$/.test(bare)) return fromHex(bare, "must be PEM, hex or base64");
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(bare) || bare.length % 4 !== 0) throw new InvalidInput("must be PEM, hex or base64");
  return new Uint8Array(Buffer.from(bare, "base64"));
}

const BLOCK = /-----BEGIN ([A-Z0-9 ]+)-----\s+([A-Za-z0-9+/=\s]+?)-----END \1-----/g;

function readPem(text: string): Uint8Array {
  // `openssl ecparam -genkey` puts the curve before the key.
  const blocks = [...text.matchAll(BLOCK)].filter(([, label]) => label !== "EC PARAMETERS");
  const [[whole, label = "", base64 = ""] = ["", "", ""], ...more] = blocks;
  if (whole === "") throw new InvalidInput("is not PEM");
  if (more.length > 0) throw new InvalidInput(`holds ${blocks.length} PEM blocks; the resource holds one`);
  if (label.startsWith("ENCRYPTED")) throw new InvalidInput("is an encrypted private key; write it without a password");
  if (label !== "EC PRIVATE KEY" && label !== "RSA PRIVATE KEY") return new Uint8Array(Buffer.from(base64, "base64"));
  try {
    return new Uint8Array(createPrivateKey(whole).export({ format: "der", type: "pkcs8" }));
  } catch {
    throw new InvalidInput("is not a private key in PEM");
  }
}

/** @throws InvalidInput when the bytes are not what they should be */
export function checkKey(kind: KeyKind, der: Uint8Array): void {
  const bytes = Buffer.from(der.buffer, der.byteOffset, der.byteLength);
  try {
    if (kind === "certificate") {
      if (new X509Certificate(bytes).raw.length === bytes.length) return;
    } else if (kind === "public-key") {
      createPublicKey({ key: bytes, format: "der", type: "spki" });
      return;
    } else {
      createPrivateKey({ key: bytes, format: "der", type: "pkcs8" });
      return;
    }
  } catch {
    // Which part of the encoding fails says nothing to who mixed up two files.
  }
  throw new InvalidInput(`is not ${KINDS[kind]} in DER`);
}

/** Whether a private key belongs to the certificate or public key beside it; true where one of them cannot be read. */
export function keysBelongTogether(kind: KeyKind, own: Uint8Array, privateKey: Uint8Array): boolean {
  try {
    const secret = createPrivateKey({ key: Buffer.from(privateKey), format: "der", type: "pkcs8" });
    if (kind === "certificate") return new X509Certificate(own).checkPrivateKey(secret);
    return createPublicKey(secret).equals(createPublicKey({ key: Buffer.from(own), format: "der", type: "spki" }));
  } catch {
    return true;
  }
}
