import type { Instant } from "../lib/clock.ts";
import { InvalidInput } from "../lib/errors.ts";
import { type AssociationHost, ServerAssociation } from "./association.ts";
import { type ClientHello, helloVerifyRequest, looksLikeClientHello, readClientHello } from "./client-hello.ts";
import { CookieJar } from "./cookies.ts";
import { DeadlineQueue } from "./deadlines.ts";
import type { OpenSsl } from "./openssl.ts";
import { MAX_DATAGRAM } from "./records.ts";
import { ServerContexts } from "./server-contexts.ts";
import { ServerCounters } from "./stats.ts";
import type {
  Association,
  DtlsServerEvents,
  DtlsServerOptions,
  DtlsServerStats,
  Peer,
  RefusalReason,
  ServerX509,
} from "./types.ts";

/** IPv6's minimum MTU less the headers of IPv6 and UDP: fits every path without fragments. */
const DEFAULT_MTU = 1280 - 40 - 8;
/** OpenSSL wants room for a handshake message's header and some of its body in every datagram. */
const MIN_MTU = 256;
export const DEFAULT_HANDSHAKE_TIMEOUT: number = 60_000;
const DEFAULT_IDLE_TIMEOUT = 300_000;
const DEFAULT_MAX_ASSOCIATIONS = 20_000;

/**
 * A DTLS 1.2 server with pre-shared keys, certificates and raw public keys for any number of peers: datagrams in, datagrams
 * out. It holds no clock: `now` must not go back by more than a cookie's life, and whoever drives it calls `tick` when
 * `nextDeadline` has come.
 *
 * ```
 * client                                  server
 * ClientHello                -->                           no state, whatever is sent
 *                            <--          HelloVerifyRequest (cookie)
 * ClientHello (cookie)       -->                           cookie proven: an association begins
 *                            <--          ServerHello, [ServerKeyExchange,] ServerHelloDone
 * ClientKeyExchange (identity),
 * ChangeCipherSpec, Finished -->                           lookupPsk(identity); datagrams wait for its answer
 *                            <--          ChangeCipherSpec, Finished        secured
 * ```
 *
 * With certificates or raw public keys the server shows its own after ServerHello and asks for the client's, who sends it
 * before ClientKeyExchange and a signature (CertificateVerify) after it. On the machine where a handshake with a PSK takes the
 * server 0.05 ms of CPU, one with P-256 certificates and a CA between takes 0.8 ms in OpenSSL 3.0 and 0.55 ms in 3.5, one with
 * raw public keys 0.4 ms (`npm run bench -- dtls`). 0.15 ms of that anybody can cause who proves an address: see `admits`.
 */
export class DtlsServer {
  readonly #events: DtlsServerEvents;
  readonly #cookies: CookieJar;
  readonly #host: AssociationHost;
  readonly #maxAssociations: number;
  readonly #admits: DtlsServerOptions["admits"] | undefined;
  readonly #admit: DtlsServerOptions["admit"] | undefined;
  readonly #associations: Map<string, ServerAssociation> = new Map();
  readonly #deadlines: DeadlineQueue<ServerAssociation> = new DeadlineQueue();
  readonly #counters: ServerCounters = new ServerCounters();
  #freed = false;
  #now: Instant = 0;

  /** @throws InvalidInput for an option out of range, OpenSslTooOld if it has no raw public keys and should */
  constructor(openssl: OpenSsl, options: DtlsServerOptions, events: DtlsServerEvents) {
    this.#events = events;
    this.#cookies = new CookieJar(options.cookieSecret);
    this.#maxAssociations = options.maxAssociations ?? DEFAULT_MAX_ASSOCIATIONS;
    this.#admits = options.admits?.bind(options);
    this.#admit = options.admit?.bind(options);
    const mtu = checkedMtu(options.mtu);
    this.#host = this.#makeHost(openssl, new ServerContexts(openssl, options), mtu, options);
  }

  /** Takes in one datagram, whatever it holds. Never throws for what is in it. */
  receive(peer: Peer, datagram: Uint8Array, now: Instant): void {
    if (this.#freed) return;
    this.#now = now;
    if (datagram.length > MAX_DATAGRAM) this.#refuse(peer, "malformed");
    else if (looksLikeClientHello(datagram)) this.#receiveHello(peer, datagram, now);
    else this.#receiveOther(peer, datagram, now);
  }

  /** Retransmits, and ends what has lasted too long. */
  tick(now: Instant): void {
    this.#now = now;
    let first = this.#deadlines.first();
    while (first !== undefined && first.wakeAt <= now) {
      this.#deadlines.delete(first);
      // An entry may be early, as a deadline that moves away is not moved in the queue.
      if (first.deadline <= now) first.tick(now);
      this.#plan(first);
      first = this.#deadlines.first();
    }
  }

  /** When `tick` is due; it may turn out that nothing was to be done. Undefined while there is no association. */
  nextDeadline(): Instant | undefined {
    return this.#deadlines.first()?.wakeAt;
  }

  /** Ends an association; a secured one with close_notify. */
  close(association: Association, now: Instant): void {
    this.#now = now;
    const mine = this.#associations.get(association.peer.key);
    if (mine === association) mine.end("closed");
  }

  /**
   * Takes other certificates, CAs and revocation lists for handshakes from now on. Those under way, and associations, go on
   * with what they began with.
   * @throws InvalidInput, and then everything is as before
   */
  replaceX509(x509: ServerX509): void {
    if (!this.#freed) this.#host.contexts.replaceX509(x509);
  }

  /** Ends all associations as `close` does and frees everything native. The server is deaf from then on. */
  free(): void {
    if (this.#freed) return;
    this.#freed = true;
    for (const association of [...this.#associations.values()]) association.end("freed");
    this.#host.contexts.free();
  }

  /** Counters for metrics and load reports, as they stand now. */
  get stats(): DtlsServerStats {
    return this.#counters.snapshot(this.#associations.size);
  }

  #receiveOther(peer: Peer, datagram: Uint8Array, now: Instant): void {
    const association = this.#associations.get(peer.key);
    if (association === undefined) {
      this.#refuse(peer, "no-association");
      return;
    }
    association.receive(datagram, now);
    this.#plan(association);
  }

  #receiveHello(peer: Peer, datagram: Uint8Array, now: Instant): void {
    const hello = readClientHello(datagram);
    const old = this.#associations.get(peer.key);
    // With a cookie message_seq is 1. After a second HelloVerifyRequest it is 2, from where OpenSSL cannot go on.
    if (hello === undefined || hello.messageSequence > 1) this.#refuse(peer, "malformed");
    else if (!this.#cookies.proves(peer, hello, now)) this.#receiveUnproven(peer, hello, datagram, now);
    else if (old !== undefined && Buffer.compare(old.cookie, hello.cookie) === 0) old.helloAgain();
    else if (old === undefined && this.#associations.size >= this.#maxAssociations) this.#refuse(peer, "too-many-associations");
    else if (this.#admit?.(now) === false) this.#refuse(peer, "not-admitted");
    else this.#begin(peer, hello, old, now);
  }

  #receiveUnproven(peer: Peer, hello: ClientHello, datagram: Uint8Array, now: Instant): void {
    // A client that was held up when the cookie came sends the old ClientHello again before the one with the cookie.
    const next = datagram.subarray(hello.datagram.length);
    if (hello.cookie.length === 0 && looksLikeClientHello(next)) this.#receiveHello(peer, next, now);
    else this.#askCookie(peer, hello, now);
  }

  /** Answers without keeping anything. The answer has 44 bytes, and no ClientHello that can be read has less than 67. */
  #askCookie(peer: Peer, hello: ClientHello, now: Instant): void {
    if (this.#admits?.(now) === false) {
      this.#refuse(peer, "not-admitted");
      return;
    }
    this.#counters.cookiesSent++;
    this.#events.send(peer, helloVerifyRequest(hello, this.#cookies.make(peer, hello, now)));
  }

  #begin(peer: Peer, hello: ClientHello, old: ServerAssociation | undefined, now: Instant): void {
    const association = ServerAssociation.begin(this.#host, peer, hello, now);
    if (association === undefined) {
      this.#refuse(peer, "unsupported-version");
      return;
    }
    this.#associations.set(peer.key, association);
    this.#counters.handshaking++;
    old?.drop("replaced");
    association.start(now);
    this.#plan(association);
  }

  #refuse(peer: Peer, reason: RefusalReason): void {
    this.#counters.countRefused(reason);
    this.#events.refused?.(peer, reason);
  }

  /** Sees to it that the queue wakes no later than the association's deadline. */
  #plan(association: ServerAssociation): void {
    if (association.state === "closed") return;
    const { deadline } = association;
    if (association.slot < 0 || deadline < association.wakeAt) this.#deadlines.set(association, deadline);
  }

  #makeHost(openssl: OpenSsl, contexts: ServerContexts, mtu: number, options: DtlsServerOptions): AssociationHost {
    const events = this.#events;
    return {
      openssl,
      contexts,
      mtu,
      handshakeTimeout: options.handshakeTimeout ?? DEFAULT_HANDSHAKE_TIMEOUT,
      idleTimeout: options.idleTimeout ?? DEFAULT_IDLE_TIMEOUT,
      lookupPsk: options.lookupPsk?.bind(options),
      wallClock: options.wallClock?.bind(options),
      send: (peer, datagram) => events.send(peer, datagram),
      secured: (association) => {
        this.#counters.countCompleted();
        events.secured(association);
      },
      message: (association, bytes) => events.message(association, bytes),
      closed: (association, reason, was) => {
        this.#deadlines.delete(association);
        if (this.#associations.get(association.peer.key) === association) this.#associations.delete(association.peer.key);
        if (was === "handshaking") this.#counters.countFailed(reason);
        events.closed(association, reason);
      },
      retransmitted: () => this.#counters.retransmissions++,
      overflowed: () => this.#counters.overflowed++,
      resume: (association, step) => {
        if (association.state === "closed") return;
        step(this.#now);
        this.#plan(association);
      },
    };
  }
}

/** @throws InvalidInput unless OpenSSL can work with it */
export function checkedMtu(mtu: number = DEFAULT_MTU): number {
  if (mtu >= MIN_MTU && mtu <= MAX_DATAGRAM) return mtu;
  throw new InvalidInput(`mtu: must be ${MIN_MTU} to ${MAX_DATAGRAM} bytes, got ${mtu}`);
}
