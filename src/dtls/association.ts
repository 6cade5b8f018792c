import type { Instant, Milliseconds } from "../lib/clock.ts";
import { CertificateFlight } from "./certificate-flight.ts";
import type { CipherSuite } from "./cipher-suites.ts";
import { ClientFlight } from "./client-flight.ts";
import { type ClientHello, recordSequence, serverNameOf } from "./client-hello.ts";
import type { Scheduled } from "./deadlines.ts";
import type { Pointer } from "./native.ts";
import { MAX_PSK, type OpenSsl } from "./openssl.ts";
import { ALERT, HANDSHAKE, hasEncrypted, recordEpoch } from "./records.ts";
import type { ServerContexts } from "./server-contexts.ts";
import { Session, type SessionOwner } from "./session.ts";
import type { Association, CloseReason, DtlsServerOptions, Peer, PeerCredential, PskAnswer } from "./types.ts";

/** How long a client whose Finished did not verify may still show that it was somebody else's datagram. */
const WRONG_KEY_GRACE: Milliseconds = 3000;

/** What an association needs of its server. */
export interface AssociationHost {
  readonly openssl: OpenSsl;
  readonly contexts: ServerContexts;
  readonly mtu: number;
  readonly handshakeTimeout: Milliseconds;
  readonly idleTimeout: Milliseconds;
  readonly lookupPsk: DtlsServerOptions["lookupPsk"] | undefined;
  /** The time by which certificates are judged; undefined: `now`. */
  readonly wallClock: (() => Instant) | undefined;
  send(peer: Peer, datagram: Uint8Array): void;
  secured(association: ServerAssociation): void;
  message(association: ServerAssociation, bytes: Uint8Array): void;
  closed(association: ServerAssociation, reason: CloseReason, was: "handshaking" | "secured"): void;
  retransmitted(): void;
  overflowed(): void;
  /** A key has come; runs `step` with the current instant if the association is still there. */
  resume(association: ServerAssociation, step: (now: Instant) => void): void;
}

/** How far the client's last flight has got. */
type Progress =
  /** ClientKeyExchange is not there, or not whole. */
  | { readonly at: "gathering"; readonly flight: ClientFlight }
  | { readonly at: "asking-key"; readonly flight: ClientFlight }
  /** The key is there, ChangeCipherSpec is not. */
  | { readonly at: "key-known"; readonly flight: ClientFlight; readonly psk: Uint8Array }
  /** OpenSSL has ClientKeyExchange and ChangeCipherSpec; Finished has to verify. */
  | { readonly at: "verifying"; readonly psk: Uint8Array }
  /** The suite has certificates: OpenSSL puts the flight together, and ChangeCipherSpec is not there yet, or early. */
  | { readonly at: "certifying"; readonly flight: CertificateFlight }
  /** OpenSSL has the certificate and ChangeCipherSpec. */
  | { readonly at: "certified" }
  | { readonly at: "done" };

/** One client of a `DtlsServer`, from its proven ClientHello on. */
export class ServerAssociation implements Association, Scheduled {
  wakeAt: Instant = 0;
  slot = -1;
  readonly peer: Peer;
  readonly serverName: string | undefined;
  /** Two ClientHellos with the same cookie are one, sent twice. */
  readonly cookie: Uint8Array;
  credential: PeerCredential | undefined;
  state: "handshaking" | "secured" | "closed" = "handshaking";
  readonly #host: AssociationHost;
  readonly #session: Session;
  readonly #helloSequence: number;
  #progress: Progress = { at: "gathering", flight: new ClientFlight() };
  /** When the handshake, or later the silence, has lasted too long. */
  #giveUpAt: Instant;
  #wrongKey = false;
  #now: Instant;

  private constructor(host: AssociationHost, peer: Peer, hello: ClientHello, ssl: Pointer, now: Instant) {
    this.#host = host;
    this.peer = peer;
    this.serverName = serverNameOf(hello);
    this.cookie = Buffer.from(hello.cookie);
    this.#helloSequence = hello.messageSequence;
    this.#now = now;
    this.#giveUpAt = now + host.handshakeTimeout;
    this.#session = new Session(host.openssl, ssl, host.mtu, recordSequence(hello), this.#sessionOwner());
  }

  /**
   * Takes in a ClientHello whose cookie is proven.
   * @returns undefined if OpenSSL does not speak its version
   */
  static begin(host: AssociationHost, peer: Peer, hello: ClientHello, now: Instant): ServerAssociation | undefined {
    const { openssl } = host;
    const ssl = openssl.newSsl(host.contexts.for(hello), host.mtu);
    openssl.load(hello.datagram);
    const listening = openssl.listen(ssl);
    openssl.unload();
    if (listening) return new ServerAssociation(host, peer, hello, ssl, now);
    openssl.native.SSL_free(ssl);
    openssl.native.ERR_clear_error();
    openssl.takeOutput();
    return undefined;
  }

  get cipherSuite(): CipherSuite | undefined {
    return this.#session.cipherSuite;
  }

  /** When {@link tick} has something to do. */
  get deadline(): Instant {
    return Math.min(this.#giveUpAt, this.#session.retransmitAt ?? Infinity);
  }

  /** Answers the ClientHello. */
  start(now: Instant): void {
    this.#session.handshake(now);
    if (this.state !== "handshaking" || this.#session.proof !== "certificate") return;
    this.#progress = { at: "certifying", flight: new CertificateFlight(this.#helloSequence) };
    this.#session.judgeAt(this.#host.wallClock?.() ?? now);
  }

  /** The ClientHello that began this association came again: the client has not got the answer. */
  helloAgain(): void {
    const { at } = this.#progress;
    if ((at === "gathering" || at === "certifying") && this.#session.repeat()) this.#host.retransmitted();
  }

  receive(datagram: Uint8Array, now: Instant): void {
    this.#now = now;
    const progress = this.#progress;
    if (progress.at === "done") this.#receiveSecured(datagram, now);
    else if (progress.at === "verifying") this.#verify([datagram], progress.psk);
    else if (progress.at === "certified") this.#session.receive(datagram, now);
    else if (datagram[0] === ALERT && recordEpoch(datagram, 0) === 0) this.#session.receive(datagram, now);
    else if (progress.at === "certifying") this.#certify(datagram, progress.flight, now);
    else this.#gather(datagram, progress.flight);
  }

  /** Retransmits, or gives up. */
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
    this.#session.close();
    this.#closed(reason);
  }

  /** Ends the association without a word to the peer. */
  drop(reason: CloseReason): void {
    this.#session.free();
    this.#closed(reason);
  }

  #gather(datagram: Uint8Array, flight: ClientFlight): void {
    if (!flight.add(datagram)) this.#host.overflowed();
    else if (this.#progress.at === "key-known") this.#verifyIfComplete(flight, this.#progress.psk);
    else if (this.#progress.at === "gathering" && flight.identity !== undefined) this.#askKey(flight, flight.identity);
  }

  #askKey(flight: ClientFlight, identity: Uint8Array): void {
    const claimed = Uint8Array.from(identity);
    this.credential = { mode: "psk", identity: claimed };
    this.#progress = { at: "asking-key", flight };
    this.#session.stopTimer();
    const answer = this.#host.lookupPsk?.(claimed, { serverName: this.serverName, peer: this.peer });
    if (!(answer instanceof Promise)) {
      this.#takeKey(flight, answer);
      return;
    }
    const resume = (step: () => void): void => {
      this.#host.resume(this, (now) => {
        this.#now = now;
        step();
      });
    };
    answer.then(
      (psk) => resume(() => this.#takeKey(flight, psk)),
      () => resume(() => this.drop("lookup-failed")),
    );
  }

  #takeKey(flight: ClientFlight, psk: PskAnswer): void {
    if (this.state === "closed") return;
    if (psk === undefined) this.drop("unknown-identity");
    else if (psk.length === 0 || psk.length > MAX_PSK) this.drop("lookup-failed");
    else this.#verifyIfComplete(flight, psk);
  }

  #verifyIfComplete(flight: ClientFlight, psk: Uint8Array): void {
    this.#progress = flight.complete ? { at: "verifying", psk } : { at: "key-known", flight, psk };
    if (flight.complete) this.#verify(flight.datagrams, psk);
  }

  /**
   * Gives OpenSSL what it needs to complete the handshake. It drops a Finished that does not decrypt without a word, as it
   * must: anybody could have sent it. So when one was read and the handshake is not complete, the client gets a little more
   * time, and then its key was wrong.
   */
  #verify(datagrams: readonly Uint8Array[], psk: Uint8Array): void {
    this.#host.openssl.withCredentials({ psk }, () => {
      for (const datagram of datagrams) this.#session.receive(datagram, this.#now);
    });
    if (this.state !== "handshaking" || this.#wrongKey || !datagrams.some(hasEncrypted)) return;
    this.#wrongKey = true;
    this.#giveUpAt = Math.min(this.#giveUpAt, this.#now + WRONG_KEY_GRACE);
  }

  /** Gives OpenSSL what comes of a flight with certificates, in the order it wants. */
  #certify(datagram: Uint8Array, flight: CertificateFlight, now: Instant): void {
    const { clear, encrypted } = flight.sort(datagram);
    if (flight.tooLong) this.drop("certificate-invalid");
    else if (clear.length > 0) this.#session.receive(clear, now);
    const rest = this.#session.awaitsCipherChange ? flight.rest : undefined;
    if (rest === undefined) {
      for (const record of encrypted) if (!flight.keep(record)) this.#host.overflowed();
      return;
    }
    this.#progress = { at: "certified" };
    for (const record of [...rest, ...encrypted]) this.#session.receive(record, now);
  }

  #receiveSecured(datagram: Uint8Array, now: Instant): void {
    if (this.#session.receive(datagram, now)) return;
    // OpenSSL answers a Finished that was encrypted anew. Here is a client's other way to say that it has not got ours: its
    // flight once more, of which OpenSSL drops the old epoch's records and takes Finished for a replay.
    const again = datagram[0] === HANDSHAKE && recordEpoch(datagram, 0) === 0;
    if (again && this.#session.repeat()) this.#host.retransmitted();
  }

  #closed(reason: CloseReason): void {
    if (this.state === "closed") return;
    const was = this.state;
    this.state = "closed";
    this.#progress = { at: "done" };
    this.#host.closed(this, reason, was);
  }

  /** What the session of this association tells. */
  #sessionOwner(): SessionOwner {
    return {
      send: (datagram) => this.#host.send(this.peer, datagram),
      secured: () => {
        this.state = "secured";
        if (this.#session.proof === "certificate") this.credential = this.#session.peer;
        this.#progress = { at: "done" };
        this.#giveUpAt = this.#now + this.#host.idleTimeout;
        this.#host.secured(this);
      },
      message: (bytes) => {
        this.#giveUpAt = this.#now + this.#host.idleTimeout;
        this.#session.dropFlight();
        this.#host.message(this, bytes);
      },
      ended: (reason) => this.#closed(reason),
    };
  }
}
