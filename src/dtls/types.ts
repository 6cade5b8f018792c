import type { Instant, Milliseconds } from "../lib/clock.ts";
import type { CipherSuite } from "./cipher-suites.ts";

/** Where datagrams come from and go to. `key` is unique per address and port; associations are found by it. */
export interface Peer {
  readonly key: string;
  readonly address: string;
  readonly port: number;
}

/** Why an association ended. */
export type CloseReason =
  /** The peer sent close_notify. */
  | "closed-by-peer"
  /** This side called `close`. */
  | "closed"
  /** Nothing was heard for the idle timeout. */
  | "idle"
  /** The peer fell silent in mid-handshake. */
  | "handshake-timeout"
  /** The peer's Finished does not verify: it holds another key for this identity. */
  | "wrong-key"
  /** No key is known for the identity. */
  | "unknown-identity"
  /** The key could not be looked up: the promise was rejected, or the key's length is not 1 to 256 bytes. */
  | "lookup-failed"
  /** Client and server have no cipher suite in common. */
  | "no-shared-cipher"
  /** The peer sent a fatal alert. */
  | "alert"
  /** The peer broke the protocol; OpenSSL gave up. */
  | "protocol-error"
  /** The same address and port began a new handshake and proved its cookie (RFC 6347 section 4.2.8). */
  | "replaced"
  /** `free` was called. */
  | "freed";

/** Why a datagram of a peer without an association was turned away. */
export type RefusalReason =
  /** Not a ClientHello, and no association to give it to: noise, or a device that has not noticed a restart. */
  | "no-association"
  /** A ClientHello of an older version than DTLS 1.2. */
  | "unsupported-version"
  /** A ClientHello that cannot be read, or one cut into fragments before its cookie is proven. */
  | "malformed"
  /** The cookie is proven, but the server holds as many associations as it may. */
  | "too-many-associations";

/** One client's DTLS association as the server's user sees it. */
export interface Association {
  readonly peer: Peer;
  /** The PSK identity the client sent; empty until its ClientKeyExchange arrived. */
  readonly identity: Uint8Array;
  /** The name in the client's server_name extension (RFC 6066 section 3), lower case; undefined if it sent none. */
  readonly serverName: string | undefined;
  /** Known from the server's answer on. */
  readonly cipherSuite: CipherSuite | undefined;
  readonly state: "handshaking" | "secured" | "closed";
  /**
   * Encrypts and sends one record of 1 to 16384 bytes.
   * @returns whether it was sent; false unless the association is secured
   */
  send(bytes: Uint8Array, now: Instant): boolean;
}

export interface DtlsServerOptions {
  /**
   * The key (1 to 256 bytes) of a PSK identity, or undefined if there is none. May answer at once or later; datagrams of
   * the association wait meanwhile. Asked once per handshake, after the client's address is proven.
   */
  lookupPsk(
    identity: Uint8Array,
    hello: { readonly serverName: string | undefined; readonly peer: Peer },
  ): PskAnswer | Promise<PskAnswer>;
  /**
   * At least 32 random bytes; cookies are made from it. Keep it over a restart if handshakes should survive one: OpenSSL
   * cannot go on with a ClientHello after a second HelloVerifyRequest.
   */
  readonly cookieSecret: Uint8Array;
  /** Largest datagram sent, in bytes. Default 1280 (IPv6's minimum MTU) less IPv6 and UDP headers. */
  readonly mtu?: number;
  /** From the proven ClientHello to Finished. Default 60 s: five retransmissions. */
  readonly handshakeTimeout?: Milliseconds;
  /** Without a record that decrypts. Default 5 min: a CoAP exchange lives 247 s (RFC 7252 section 4.8.2). */
  readonly idleTimeout?: Milliseconds;
  /** Default 20,000. OpenSSL keeps 50 to 80 kB per association. */
  readonly maxAssociations?: number;
  /** In order of preference; the server's order wins. Default: all of {@link CipherSuite}. */
  readonly cipherSuites?: readonly CipherSuite[];
}

export type PskAnswer = Uint8Array | undefined;

/** What a server asks of its surroundings. Called synchronously from `receive`, `tick`, `send` and `close`. */
export interface DtlsServerEvents {
  /** `datagram` is not touched again and may be kept. Call `receive` after it returns, or events come out of order. */
  send(peer: Peer, datagram: Uint8Array): void;
  /** The handshake is complete: the client holds the key of `association.identity`. */
  secured(association: Association): void;
  /** One decrypted record; `bytes` may be kept. */
  message(association: Association, bytes: Uint8Array): void;
  /** Called once for every association, also for those that never got secured. */
  closed(association: Association, reason: CloseReason): void;
  /** A datagram was turned away before there was an association. Anybody can cause this at any rate. */
  refused?(peer: Peer, reason: RefusalReason): void;
}

/** Counters since the server was made, and two gauges. */
export interface DtlsServerStats {
  /** Gauge: associations held, of which {@link handshaking} are not secured yet. */
  readonly associations: number;
  readonly handshaking: number;
  readonly handshakesCompleted: number;
  /** Handshakes that ended otherwise, by cause. */
  readonly handshakesFailed: Readonly<Partial<Record<CloseReason, number>>>;
  /** HelloVerifyRequests sent. */
  readonly cookiesSent: number;
  /** Flights sent again. */
  readonly retransmissions: number;
  /** Datagrams turned away, by cause. */
  readonly refused: Readonly<Partial<Record<RefusalReason, number>>>;
  /** Datagrams of a handshake that were dropped because as many as may be wait for a key, or for their missing parts. */
  readonly overflowed: number;
}

export interface DtlsClientOptions {
  /** 1 to 256 bytes. */
  readonly psk: Uint8Array;
  /** 1 to 255 bytes without a zero byte. */
  readonly identity: Uint8Array;
  /** Sent in the server_name extension unless it is an IP address or left out. */
  readonly serverName?: string;
  /** In order of preference. Default: TLS_PSK_WITH_AES_128_CCM_8, the suite every LwM2M device has. */
  readonly cipherSuites?: readonly CipherSuite[];
  readonly mtu?: number;
  /** Default 60 s. */
  readonly handshakeTimeout?: Milliseconds;
}

export interface DtlsClientEvents {
  /** `datagram` is not touched again and may be kept. Call `receive` after it returns, or events come out of order. */
  send(datagram: Uint8Array): void;
  secured(): void;
  message(bytes: Uint8Array): void;
  /** Called once; everything native is freed by then. */
  closed(reason: CloseReason): void;
}
