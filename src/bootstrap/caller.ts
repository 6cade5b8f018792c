import type { CoapPeer } from "../coap/index.ts";
import type { Instant } from "../lib/clock.ts";

/** What a handshake has proven of the other end. */
export type Proven =
  /** It holds the key of this PSK identity. */
  | { readonly mode: "psk"; readonly identity: string }
  /** It holds the key of a certificate that our list vouches for: the subject's CN first, then SAN names and URIs. */
  | { readonly mode: "x509"; readonly names: readonly string[] }
  /** It holds the key of a raw public key: the SHA-256 of its SubjectPublicKeyInfo, lower-case hex. */
  | { readonly mode: "rpk"; readonly identity: string };

/** Who sends datagrams: a DTLS association, or on a NoSec listener an address and port. */
export interface Caller extends CoapPeer {
  /** Unique per association: a new handshake of the same address and port is another caller. */
  readonly key: string;
  readonly address: string;
  readonly port: number;
  /** Undefined on a NoSec listener, where nothing is proven. */
  readonly proven: Proven | undefined;
  /** The server name of the handshake (SNI). */
  readonly serverName: string | undefined;
  send(datagram: Uint8Array): void;
  /** Ends the association with close_notify; nothing on a NoSec listener. */
  close(now: Instant): void;
}

/** Who it says to be, in one text for the log. */
export function provenText(proven: Proven | undefined): string | undefined {
  return proven?.mode === "x509" ? (proven.names[0] ?? "") : proven?.identity;
}
