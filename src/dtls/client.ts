import type { Instant, Milliseconds } from "../lib/clock.ts";
import type { CipherSuite } from "./cipher-suites.ts";
import { type ClientIdentity, clientIdentity } from "./client-identity.ts";
import type { OpenSsl } from "./openssl.ts";
import { MAX_DATAGRAM } from "./records.ts";
import { checkedMtu, DEFAULT_HANDSHAKE_TIMEOUT } from "./server.ts";
import { Session } from "./session.ts";
import type { CloseReason, DtlsClientEvents, DtlsClientOptions } from "./types.ts";

/**
 * One DTLS 1.2 client association: datagrams in, datagrams out. It makes one attempt: once it is closed, or to connect from
 * another port, a new one is made. Until then it holds native memory; `close` gives it back.
 */
export class DtlsClient {
  readonly #openssl: OpenSsl;
  readonly #events: DtlsClientEvents;
  readonly #identity: ClientIdentity;
  readonly #mtu: number;
  readonly #serverName: string | undefined;
  readonly #handshakeTimeout: Milliseconds;
  readonly #wallClock: DtlsClientOptions["wallClock"] | undefined;
  #state: "idle" | "handshaking" | "secured" | "closed" = "idle";
  #session: Session | undefined;
  #cipherSuite: CipherSuite | undefined;
  #giveUpAt: Instant | undefined;

  /** @throws InvalidInput for an option out of range, OpenSslTooOld if it has no raw public keys and should */
  constructor(openssl: OpenSsl, options: DtlsClientOptions, events: DtlsClientEvents) {
    this.#openssl = openssl;
    this.#events = events;
    this.#mtu = checkedMtu(options.mtu);
    this.#serverName = options.serverName;
    this.#handshakeTimeout = options.handshakeTimeout ?? DEFAULT_HANDSHAKE_TIMEOUT;
    this.#wallClock = options.wallClock?.bind(options);
    this.#identity = clientIdentity(openssl, options);
  }

  get state(): "idle" | "handshaking" | "secured" | "closed" {
    return this.#state;
  }

  /** Undefined until the handshake is complete. */
  get cipherSuite(): CipherSuite | undefined {
    return this.#cipherSuite;
  }

  /** Sends the first ClientHello. */
  connect(now: Instant): void {
    if (this.#state !== "idle") return;
    const { native } = this.#openssl;
    const ssl = this.#openssl.newSsl(this.#identity.context, this.#mtu);
    native.SSL_set_connect_state(ssl);
    if (this.#serverName !== undefined && !isAddress(this.#serverName)) this.#openssl.setServerName(ssl, this.#serverName);
    this.#session = new Session(this.#openssl, ssl, this.#mtu, 0, {
      send: (datagram) => this.#events.send(datagram),
      secured: () => this.#secured(),
      message: (bytes) => this.#events.message(bytes),
      ended: (reason) => this.#closed(reason),
    });
    if (this.#identity.judges) this.#session.judgeAt(this.#wallClock?.() ?? now);
    this.#state = "handshaking";
    this.#giveUpAt = now + this.#handshakeTimeout;
    this.#session.handshake(now);
  }

  /** Takes in one datagram from the server's address. Never throws for what is in it. */
  receive(datagram: Uint8Array, now: Instant): void {
    const session = this.#session;
    if (session === undefined || datagram.length > MAX_DATAGRAM) return;
    if (this.#state === "secured") session.receive(datagram, now);
    else this.#openssl.withCredentials(this.#identity.credentials, () => session.receive(datagram, now));
  }

  /**
   * Encrypts and sends one record of 1 to 16384 bytes.
   * @returns whether it was sent; false unless the state is "secured"
   */
  send(bytes: Uint8Array, _now: Instant): boolean {
    return this.#session?.send(bytes) ?? false;
  }

  /** Says close_notify if the state is "secured", and frees everything native. */
  close(_now: Instant): void {
    if (this.#state === "closed") return;
    this.#session?.close();
    this.#closed("closed");
  }

  /** Retransmits, or gives up the handshake. */
  tick(now: Instant): void {
    if (this.#giveUpAt !== undefined && now >= this.#giveUpAt) {
      this.#session?.free();
      this.#closed("handshake-timeout");
    } else {
      this.#session?.tick(now);
    }
  }

  /** When `tick` is due; undefined when nothing is waited for. */
  nextDeadline(): Instant | undefined {
    if (this.#giveUpAt === undefined) return undefined;
    return Math.min(this.#giveUpAt, this.#session?.retransmitAt ?? Infinity);
  }

  #secured(): void {
    this.#state = "secured";
    this.#giveUpAt = undefined;
    this.#cipherSuite = this.#session?.cipherSuite;
    this.#session?.dropFlight();
    this.#events.secured();
  }

  #closed(reason: CloseReason): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#session = undefined;
    this.#giveUpAt = undefined;
    this.#identity.free();
    this.#events.closed(reason);
  }
}

/** RFC 6066 section 3: literal addresses are not permitted in server_name. */
function isAddress(name: string): boolean {
  return name.includes(":") || /^\d+(\.\d+){3}$/.test(name);
}
