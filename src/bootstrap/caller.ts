import type { CoapPeer } from "../coap/index.ts";
import type { Instant } from "../lib/clock.ts";

/** Who sends datagrams: a DTLS association, or on a NoSec listener an address and port. */
export interface Caller extends CoapPeer {
  /** Unique per association: a new handshake of the same address and port is another caller. */
  readonly key: string;
  readonly address: string;
  readonly port: number;
  /** The PSK identity the handshake has proven; undefined on a NoSec listener, where nothing is proven. */
  readonly identity: string | undefined;
  /** The server name of the handshake (SNI). */
  readonly serverName: string | undefined;
  send(datagram: Uint8Array): void;
  /** Ends the association with close_notify; nothing on a NoSec listener. */
  close(now: Instant): void;
}
