import { createHash, X509Certificate } from "node:crypto";
import type { PeerCredential } from "../dtls/index.ts";
import type { Proven } from "./caller.ts";

/** What a credential says of its holder. */
export function provenBy(credential: PeerCredential): Proven {
  switch (credential.mode) {
    case "psk":
      return { mode: "psk", identity: textOf(credential.identity) ?? "" };
    case "x509":
      return { mode: "x509", names: certificateNames(credential.certificate) };
    case "rpk":
      return { mode: "rpk", identity: createHash("sha256").update(credential.publicKey).digest("hex") };
  }
}

/** A PSK identity as text; undefined if it is not UTF-8, as every identity is that Berth hands out (RFC 4279 section 5.1). */
export function textOf(identity: Uint8Array): string | undefined {
  const text = Buffer.from(identity.buffer, identity.byteOffset, identity.byteLength).toString("utf8");
  return text.includes("\ufffd") ? undefined : text;
}

/**
 * The names a certificate gives its holder: the CN of its subject, then the dNSNames and URIs of its
 * subjectAltName. Each is read as the attribute it is, never out of a text of all of them, in which a name can hold what
 * looks like another. A subject with several CNs could be read in several ways, and counts as one without.
 */
function certificateNames(der: Uint8Array): readonly string[] {
  const certificate = new X509Certificate(der);
  const { CN } = certificate.toLegacyObject().subject as { readonly CN?: string | readonly string[] };
  return [...(typeof CN === "string" ? [CN] : []), ...alternativeNames(certificate.subjectAltName ?? "")];
}

/** One general name and its separator; where a name holds a comma or the like, Node puts it into quotes as JSON does. */
const GENERAL_NAME = /([A-Za-z0-9 ]+):("(?:[^"\\]|\\.)*"|[^,"]*)(?:, |$)/gsy;

function alternativeNames(text: string): string[] {
  const names: string[] = [];
  for (const [, kind, value = ""] of text.matchAll(GENERAL_NAME)) {
    if (kind !== "DNS" && kind !== "URI") continue;
    names.push(value.startsWith('"') ? String(JSON.parse(value)) : value);
  }
  return names;
}
