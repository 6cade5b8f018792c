import type { Instant, Milliseconds } from "../lib/clock.ts";
import type { CipherSuite } from "./cipher-suites.ts";
import { type ClientHello, recordSequence, serverNameOf } from "./client-hello.ts";
import type { Scheduled } from "./deadlines.ts";
import type { Pointer } from "./native.ts";
import { MAX_PSK, type OpenSsl } from "./openssl.ts";
import { PskIdentityReader } from "./psk-identity.ts";
import { CHANGE_CIPHER_SPEC, HANDSHAKE, recordEnd, recordEpoch } from "./records.ts";
import { Session, type SessionOwner } from "./session.ts";
import type { Association, CloseReason, DtlsServerOptions, Peer, PskAnswer } from "./types.ts";

/** Datagrams that may wait for a key: a client's flight is at most three, and it may send it twice. */
const MAX_PARKED = 8;
/** How long a client whose Finished did not verify may still show that it was somebody else's datagram. */
const WRONG_KEY_GRACE: Milliseconds = 3000;

const NO_IDENTITY = new Uint8Array(0);

/** What an association needs of its server. */
export interface AssociationHost {
  readonly openssl: OpenSsl;
  readonly context: Pointer;
  readonly mtu: number;
  readonly handshakeTimeout: Milliseconds;
  readonly idleTimeout: Milliseconds;
  readonly lookupPsk: DtlsServerOptions["lookupPsk"];
  send(peer: Peer, datagram: Uint8Array): void;
  secured(association: ServerAssociation): void;
  message(association: ServerAssociation, bytes: Uint8Array): void;
  closed(association: ServerAssociation, reason: CloseReason, was: "handshaking" | "secured"): void;
  retransmitted(): void;
  overflowed(): void;
  /** A key has come; runs `step` with the current instant, then plans the next deadline. */
  resume(association: ServerAssociation, step: (now: Instant) => void): void;
}

/** Where the key of an association in handshake is. */
type Key =
  | { readonly at: "not-asked" }
  | { readonly at: "asked"; readonly parked: Uint8Array[] }
  | { readonly at: "here"; readonly psk: Uint8Array }
  | { readonly at: "not-needed" };

/** One client of a {@link DtlsServer}, from its proven ClientHello on. */
export class ServerAssociation implements Association, Scheduled {
  wakeAt: Instant = 0;
  slot = -1;
  readonly peer: Peer;
  readonly serverName: string | undefined;
  /** Two ClientHellos with the same cookie are one, sent twice. */
  readonly cookie: Uint8Array;
  identity: Uint8Array = NO_IDENTITY;
  cipherSuite: CipherSuite | undefined;
  state: "handshaking" | "secured" | "closed" = "handshaking";
  readonly #host: AssociationHost;
  readonly #session: Session;
  /** When the handshake, or later the silence, has lasted too long. */
  #giveUpAt: Instant;
  #key: Key = { at: "not-asked" };
  #clientKeyExchange: PskIdentityReader | undefined = new PskIdentityReader();
  #cipherChanged = false;
  #finishedSeen = false;
  #wrongKey = false;
  #now: Instant;

  private constructor(host: AssociationHost, peer: Peer, hello: ClientHello, ssl: Pointer, now: Instant) {
    this.#host = host;
    this.peer = peer;
    this.serverName = serverNameOf(hello);
    this.cookie = Uint8Array.from(hello.cookie);
    this.#now = now;
    this.#giveUpAt = now + host.handshakeTimeout;
    this.#session = new Session(host.openssl, ssl, host.mtu, recordSequence(hello), this.#sessionOwner());
  }

  /**
   * Takes in a ClientHello whose cookie is proven.
   * @returns undefined if OpenSSL does not like it
   */
  static begin(host: AssociationHost, peer: Peer, hello: ClientHello, now: Instant): ServerAssociation | undefined {
    const { openssl } = host;
    const ssl = openssl.newSsl(host.context, host.mtu);
    openssl.load(hello.datagram);
    const listening = openssl.listen(ssl);
    openssl.unload();
    if (listening) return new ServerAssociation(host, peer, hello, ssl, now);
    openssl.native.SSL_free(ssl);
    openssl.native.ERR_clear_error();
    openssl.takeOutput();
    return undefined;
  }

  /** When {@link tick} has something to do. */
  get deadline(): Instant {
    return Math.min(this.#giveUpAt, this.#session.retransmitAt ?? Infinity);
  }

  /** Answers the ClientHello. */
  start(now: Instant): void {
    this.#session.handshake(now);
  }

  /** The ClientHello that began this association came again. */
  helloAgain(): void {
    if (this.state === "handshaking" && this.#key.at === "not-asked" && this.#session.repeat()) this.#host.retransmitted();
  }

  receive(datagram: Uint8Array, now: Instant): void {
    this.#now = now;
    switch (this.#key.at) {
      case "not-asked": {
        this.#clientKeyExchange?.scan(datagram);
        const identity = this.#clientKeyExchange?.identity;
        if (identity === undefined) this.#session.receive(datagram, now);
        else this.#askKey(identity, datagram, now);
        break;
      }
      case "asked":
        if (this.#key.parked.length < MAX_PARKED) this.#key.parked.push(Uint8Array.from(datagram));
        else this.#host.overflowed();
        break;
      case "here":
        this.#handshake(this.#key.psk, datagram, now);
        break;
      case "not-needed":
        // A repeated ClientKeyExchange: the client has not got our Finished. OpenSSL answers only a Finished encrypted anew.
        if (!this.#session.receive(datagram, now) && isHandshakeInTheClear(datagram) && this.#session.repeat()) {
          this.#host.retransmitted();
        }
    }
  }

  tick(now: Instant): void {
    this.#now = now;
    if (now >= this.#giveUpAt) this.end(this.state === "secured" ? "idle" : this.#wrongKey ? "wrong-key" : "handshake-timeout");
    else if (this.#session.tick(now)) this.#host.retransmitted();
  }

  send(bytes: Uint8Array, _now: Instant): boolean {
    return this.#session.send(bytes);
  }

  /** Ends the association, with close_notify if it is secured. */
  end(reason: CloseReason): void {
    if (this.state === "closed") return;
    this.#session.close();
    this.#closed(reason);
  }

  #askKey(identity: Uint8Array, datagram: Uint8Array, now: Instant): void {
    this.identity = Uint8Array.from(identity);
    const answer = this.#host.lookupPsk(this.identity, { serverName: this.serverName, peer: this.peer });
    if (!(answer instanceof Promise)) {
      this.#takeKey(answer, [datagram], now);
      return;
    }
    const parked = [Uint8Array.from(datagram)];
    this.#key = { at: "asked", parked };
    this.#session.stopTimer();
    answer.then(
      (psk) => this.#host.resume(this, (later) => this.#takeKey(psk, parked, later)),
      () => this.#host.resume(this, () => this.drop("lookup-failed")),
    );
  }

  #takeKey(psk: PskAnswer, datagrams: readonly Uint8Array[], now: Instant): void {
    if (psk === undefined || psk.length === 0 || psk.length > MAX_PSK) {
      this.drop(psk === undefined ? "unknown-identity" : "lookup-failed");
      return;
    }
    this.#key = { at: "here", psk };
    for (const datagram of datagrams) {
      if (this.state !== "closed") this.receive(datagram, now);
    }
  }

  #handshake(psk: Uint8Array, datagram: Uint8Array, now: Instant): void {
    this.#host.openssl.withCredentials({ psk }, () => this.#session.receive(datagram, now));
    if (this.state === "handshaking" && !this.#wrongKey) this.#suspectWrongKey(datagram, now);
  }

  /**
   * OpenSSL drops a Finished that does not decrypt without a word, as it must: anybody could have sent it. So a handshake
   * that has had all of the client's flight and is not complete is given a little longer, then ended for its wrong key.
   */
  #suspectWrongKey(datagram: Uint8Array, now: Instant): void {
    for (let at = 0, end = recordEnd(datagram, 0); end > 0; at = end, end = recordEnd(datagram, at)) {
      if (recordEpoch(datagram, at) > 0) this.#finishedSeen = true;
      else if (datagram[at] === CHANGE_CIPHER_SPEC) this.#cipherChanged = true;
    }
    this.#clientKeyExchange?.scan(datagram);
    if (!this.#cipherChanged || !this.#finishedSeen || !this.#clientKeyExchange?.complete) return;
    this.#wrongKey = true;
    this.#giveUpAt = Math.min(this.#giveUpAt, now + WRONG_KEY_GRACE);
  }

  /** Ends the association without a word to the peer. */
  drop(reason: CloseReason): void {
    this.#session.free();
    this.#closed(reason);
  }

  #closed(reason: CloseReason): void {
    if (this.state === "closed") return;
    const was = this.state;
    this.state = "closed";
    this.#key = { at: "not-needed" };
    this.#host.closed(this, reason, was);
  }

  /** What the session of this association tells. */
  #sessionOwner(): SessionOwner {
    return {
      send: (datagram) => this.#host.send(this.peer, datagram),
      secured: () => this.#secured(),
      message: (bytes) => {
        this.#giveUpAt = this.#now + this.#host.idleTimeout;
        this.#session.dropFlight();
        this.#host.message(this, bytes);
      },
      ended: (reason) => this.#closed(reason),
    };
  }

  #secured(): void {
    this.state = "secured";
    this.cipherSuite = this.#session.cipherSuite;
    this.#key = { at: "not-needed" };
    this.#clientKeyExchange = undefined;
    this.#giveUpAt = this.#now + this.#host.idleTimeout;
    this.#host.secured(this);
  }
}

function isHandshakeInTheClear(datagram: Uint8Array): boolean {
  return datagram[0] === HANDSHAKE && recordEpoch(datagram, 0) === 0;
}
