import { InvalidInput } from "../lib/errors.ts";
import type { Encoded } from "./types.ts";

/** What may stand in a PEM block's first line (RFC 7468), and how errors call it. */
export interface EncodedKind {
  readonly labels: readonly string[];
  readonly name: string;
}

export const CERTIFICATE: EncodedKind = { labels: ["CERTIFICATE", "X509 CERTIFICATE"], name: "certificate" };
export const REVOCATION_LIST: EncodedKind = { labels: ["X509 CRL"], name: "revocation list" };
export const PUBLIC_KEY: EncodedKind = { labels: ["PUBLIC KEY"], name: "public key" };
export const PRIVATE_KEY: EncodedKind = { labels: ["PRIVATE KEY", "EC PRIVATE KEY", "RSA PRIVATE KEY"], name: "private key" };

const BLOCK = /-----BEGIN ([A-Z0-9 ]+)-----(.*?)-----END \1-----/gs;

/**
 * The DER in `encoded`: of PEM text the blocks of that kind, one after the other; other blocks and what is between them do
 * not count. DER is taken as it is.
 * @param what the option's name, for errors
 * @throws InvalidInput if there is none, or the private key is encrypted
 */
export function derOf(encoded: Encoded, kind: EncodedKind, what: string): Uint8Array {
  if (typeof encoded !== "string") return encoded;
  const blocks = [...encoded.matchAll(BLOCK)];
  const encrypted = blocks.some(([, label, body]) => label === "ENCRYPTED PRIVATE KEY" || body?.includes("ENCRYPTED"));
  if (encrypted) {
    throw new InvalidInput(`${what}: is encrypted; write it without a passphrase: openssl pkey -in FILE -out NEW_FILE`);
  }
  const der = blocks
    .filter(([, label = ""]) => kind.labels.includes(label))
    .map(([, , body = ""]) => Buffer.from(body, "base64"));
  if (der.length > 0) return Buffer.concat(der);
  const found = blocks.length === 0 ? "no PEM" : `only ${[...new Set(blocks.map(([, label]) => label))].join(", ")}`;
  throw new InvalidInput(`${what}: needs a ${kind.name} in PEM ("-----BEGIN ${kind.labels[0]}-----"); there is ${found}`);
}
