import type { Instant, Milliseconds } from "../lib/clock.ts";
import type { CipherSuite } from "./cipher-suites.ts";

/** Where datagrams come from and go to. `key` is unique per address and port of both ends; associations are found by it. */
export interface Peer {
  readonly key: string;
  readonly address: string;
  readonly port: number;
  /** Our end, where datagrams come in at many addresses. */
  readonly local?: string | undefined;
}

/** What was wrong with the peer's certificate chain or raw public key. */
export type CertificateFault =
  /** The client has no certificate, or none of a kind that was asked for. */
  | "certificate-missing"
  /** A certificate of the chain is past its validity, or not valid yet. */
  | "certificate-expired"
  /** A revocation list names a certificate of the chain. */
  | "certificate-revoked"
  /** No list says whether it is revoked: a CA of the chain has none, or one past its nextUpdate. The operator's fault. */
  | "revocation-unknown"
  /** The chain ends at none of the trusted CAs; or it is not the certificate or raw public key that was pinned. */
  | "certificate-untrusted"
  /** It is a trusted CA's, but not for the name of this server (RFC 6125 section 6). */
  | "certificate-wrong-name"
  /** Malformed, too long, too weak, not made for this purpose; or its owner did not prove to hold the key. */
  | "certificate-invalid";

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
  | CertificateFault
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
  | "too-many-associations"
  /** `admits` or `admit` said no. */
  | "not-admitted";

/** What a peer has proven to hold. */
export type PeerCredential =
  /** The key of a PSK identity. */
  | { readonly mode: "psk"; readonly identity: Uint8Array }
  /** The private key of a certificate, DER, whose chain was verified. */
  | { readonly mode: "x509"; readonly certificate: Uint8Array }
  /** The private key of a raw public key (RFC 7250), DER of its SubjectPublicKeyInfo. Nobody has vouched for it. */
  | { readonly mode: "rpk"; readonly publicKey: Uint8Array };

/** One client's DTLS association as the server's user sees it. */
export interface Association {
  readonly peer: Peer;
  /**
   * Who the client is, once the association is secured. A PSK identity shows from ClientKeyExchange on, when it is only a
   * claim.
   */
  readonly credential: PeerCredential | undefined;
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

/** Certificates, keys or revocation lists: PEM text, of which the blocks of the right kind are taken, or DER. */
export type Encoded = string | Uint8Array;

/** What a server needs to meet clients with certificates. */
export interface ServerX509 {
  /** The server's chain, its own certificate first. */
  readonly certificate: Encoded;
  readonly privateKey: Encoded;
  /**
   * Whose certificates clients may have; the system's list is not looked at. A CA whose issuer is not in this list is a
   * trust anchor, root or not. One whose issuer is helps clients that show their own certificate only, as many devices do.
   */
  readonly clientCa: Encoded;
  /**
   * Revocation lists. If given, every CA above a client's certificate needs one that is in date, or the client is refused
   * (`revocation-unknown`); only a trust anchor that is not a root is taken without one of its own issuer. Verifying the
   * lists costs 0.3 ms of CPU a handshake, and as much again for each 10,000 entries, as OpenSSL does it anew each time.
   */
  readonly crl?: Encoded;
}

/**
 * At least one of `lookupPsk`, `x509` and `rawPublicKey` is needed; any of them go together on one server. A client that
 * offers suites of several kinds gets PSK; one that offers raw public keys and certificates gets what it names first.
 */
export interface DtlsServerOptions {
  /**
   * The key (1 to 256 bytes) of a PSK identity, or undefined if there is none. May answer at once or later; datagrams of
   * the association wait meanwhile. Asked once per handshake, after the client's address is proven. Without this the
   * server has no PSK suites.
   */
  lookupPsk?(
    identity: Uint8Array,
    hello: { readonly serverName: string | undefined; readonly peer: Peer },
  ): PskAnswer | Promise<PskAnswer>;
  /** Without this the server takes no certificates. */
  readonly x509?: ServerX509;
  /** The server's own key. Without this the server takes no raw public keys. Needs OpenSSL 3.2. */
  readonly rawPublicKey?: { readonly privateKey: Encoded };
  /** The time by which certificates are judged, as `now` need not be wall-clock time. Default: `now`. */
  wallClock?(): Instant;
  /** Whether there is room for one more handshake: asked for each ClientHello without a cookie. If not, it gets no answer. */
  admits?(now: Instant): boolean;
  /** Asked once for a handshake whose cookie is proven, before it costs anything. If not, it is as if the datagram was lost. */
  admit?(now: Instant): boolean;
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
  /** Default 20,000. OpenSSL keeps 50 kB (3.0) to 90 kB (3.5) per association, with certificates 10 to 15 kB more. */
  readonly maxAssociations?: number;
  /** In order of preference; the server's order wins. Default: all of {@link CipherSuite}, PSK first. */
  readonly cipherSuites?: readonly CipherSuite[];
}

export type PskAnswer = Uint8Array | undefined;

/** What a server asks of its surroundings. Called synchronously from `receive`, `tick`, `send` and `close`. */
export interface DtlsServerEvents {
  /** `datagram` is not touched again and may be kept. Call `receive` after it returns, or events come out of order. */
  send(peer: Peer, datagram: Uint8Array): void;
  /** The handshake is complete: the client holds the key of `association.credential`. */
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

/** Which server a client with a certificate takes for the right one. */
export type ServerTrust =
  /**
   * Whichever has a certificate from one of these CAs, each a trust anchor, for {@link DtlsClientOptions.serverName}
   * (certificate usage 2 of LwM2M's /0/x/15, the trust anchor assertion of RFC 6698).
   */
  | { readonly ca: Encoded }
  /**
   * The one with just this certificate (certificate usage 3, domain-issued certificate, the default of /0/x/15). As in RFC
   * 7671 section 5.1, its dates and names do not count.
   */
  | { readonly serverCertificate: Encoded };

/** Who a client is, and which server it trusts. The usages 0 and 1 of /0/x/15 want the public CAs, which are not known here. */
export type ClientCredential =
  /** `identity` has 1 to 255 bytes without a zero byte, `psk` 1 to 256. */
  | { readonly mode: "psk"; readonly identity: Uint8Array; readonly psk: Uint8Array }
  /** `certificate` is a chain, the client's own first. */
  | { readonly mode: "x509"; readonly certificate: Encoded; readonly privateKey: Encoded; readonly trust: ServerTrust }
  /** Raw public keys both ways (RFC 7250); `serverPublicKey` is a SubjectPublicKeyInfo. Needs OpenSSL 3.2. */
  | { readonly mode: "rpk"; readonly privateKey: Encoded; readonly serverPublicKey: Encoded };

export interface DtlsClientOptions {
  readonly credential: ClientCredential;
  /** Sent in the server_name extension unless it is an IP address or left out. Trust by `ca` needs it, also as an address. */
  readonly serverName?: string;
  /**
   * In order of preference. Default with a PSK: TLS_PSK_WITH_AES_128_CCM_8, the suite every LwM2M device has; otherwise all
   * suites with certificates.
   */
  readonly cipherSuites?: readonly CipherSuite[];
  /** The time by which certificates are judged, as `now` need not be wall-clock time. Default: `now`. */
  wallClock?(): Instant;
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
