import type { Instant, Milliseconds } from "../lib/clock.ts";
import { faultOfError, faultOfVerification, sslReason } from "./certificate-faults.ts";
import { CIPHER_SUITES, type CipherSuite, type SuiteProof } from "./cipher-suites.ts";
import type { Pointer } from "./native.ts";
import type { OpenSsl } from "./openssl.ts";
import { ALERT, APPLICATION_DATA, hasRecord, hasStunted, packRecords, recordEnd, renumber } from "./records.ts";
import type { CloseReason, PeerCredential } from "./types.ts";

/** RFC 6347 section 4.2.4.1: the retransmission timer begins at 1 s and doubles to 60 s at most. */
const FIRST_TIMEOUT: Milliseconds = 1000;
const LAST_TIMEOUT: Milliseconds = 60_000;
/** How often a server repeats its last flight for a client that did not get it, as OpenSSL does for its timer. */
const MAX_REPEATS = 12;
/** Longest plaintext of a record (RFC 5246 section 6.2.1). */
const MAX_PLAINTEXT = 16_384;

const SSL_READING = 3;
const SSL_R_NO_SHARED_CIPHER = 193;
const X509_V_OK = 0;
/** OpenSSL's reason for "the peer sent a fatal alert" is this plus the alert's number, which is a byte. */
const SSL_AD_REASON_OFFSET = 1000;
const NOTHING: readonly Buffer[] = [];

/** What a session tells the association it belongs to. */
export interface SessionOwner {
  send(datagram: Uint8Array): void;
  secured(): void;
  message(bytes: Uint8Array): void;
  /** The native object is freed by now. */
  ended(reason: CloseReason): void;
}

/**
 * One SSL object, server's or client's, and the flight it sent last.
 *
 * OpenSSL's retransmission timer reads the real clock, which no caller can set. So the timer that counts is ours, driven by
 * `tick`. When it fires, OpenSSL is asked first, as only it can encrypt Finished anew; if by the real clock it is too early,
 * as in a test with a virtual clock, the stored flight is sent again with new numbers for its records in the clear.
 */
export class Session {
  readonly #openssl: OpenSsl;
  readonly #owner: SessionOwner;
  readonly #mtu: number;
  readonly #ssl: Pointer;
  #state: "handshaking" | "secured" | "freed" = "handshaking";
  #flight: readonly Buffer[] = [];
  #cipherSuite: CipherSuite | undefined;
  #nextRecord: number;
  #timeout: Milliseconds = FIRST_TIMEOUT;
  #retransmitAt: Instant | undefined;
  #repeats = 0;

  /** @param firstRecord the sequence number of the first record sent */
  constructor(openssl: OpenSsl, ssl: Pointer, mtu: number, firstRecord: number, owner: SessionOwner) {
    this.#openssl = openssl;
    this.#ssl = ssl;
    this.#mtu = mtu;
    this.#nextRecord = firstRecord;
    this.#owner = owner;
  }

  /** When {@link tick} has something to do. */
  get retransmitAt(): Instant | undefined {
    return this.#retransmitAt;
  }

  /** The cipher suite, from ServerHello on. */
  get cipherSuite(): CipherSuite | undefined {
    return this.#cipherSuite;
  }

  /** How the two prove who they are; undefined before ServerHello. */
  get proof(): SuiteProof | undefined {
    return this.#cipherSuite === undefined ? undefined : CIPHER_SUITES[this.#cipherSuite].proof;
  }

  /** Who the peer of a secured session with certificates or raw public keys is. */
  get peer(): PeerCredential {
    return this.#openssl.certificates.peerOf(this.#ssl);
  }

  /** Whether a client's CertificateVerify is read, and ChangeCipherSpec is next. */
  get awaitsCipherChange(): boolean {
    return this.#state === "handshaking" && this.#openssl.certificates.awaitsCipherChange(this.#ssl);
  }

  /** Has the peer's certificates judged by this time. */
  judgeAt(time: Instant): void {
    this.#openssl.certificates.setTime(this.#ssl, time);
  }

  /** Takes the handshake as far as it goes without another datagram. */
  handshake(now: Instant): void {
    if (this.#state !== "handshaking") return;
    const result = this.#openssl.native.SSL_do_handshake(this.#ssl);
    const flight = this.#takeOutput();
    if (flight.length > 0) {
      this.#flight = flight;
      this.#timeout = FIRST_TIMEOUT;
      this.#retransmitAt = now + FIRST_TIMEOUT;
    }
    const end = result === 1 ? undefined : this.#whyOver(flight.some((datagram) => hasRecord(datagram, ALERT)));
    if (end !== undefined) this.free();
    else this.#cipherSuite ??= this.#openssl.cipherSuite(this.#ssl);
    if (result === 1) {
      this.#state = "secured";
      this.#retransmitAt = undefined;
    }
    this.#sendAll(flight);
    if (end !== undefined) this.#owner.ended(end);
    if (result === 1 && this.#isSecured()) this.#owner.secured();
  }

  /**
   * Reads one datagram of at most MAX_DATAGRAM bytes.
   * @returns whether that made OpenSSL send something
   */
  receive(datagram: Uint8Array, now: Instant): boolean {
    // OpenSSL 3.0 ends a session for an encrypted record that is too short to be one, which anybody could send.
    const overhead = this.#cipherSuite === undefined ? Infinity : CIPHER_SUITES[this.#cipherSuite].overhead;
    if (this.#state === "freed" || hasStunted(datagram, overhead)) return false;
    const oneRecord = this.#state === "secured" && isOneRecordOfData(datagram);
    this.#openssl.load(datagram);
    try {
      this.handshake(now);
      return this.#read(oneRecord);
    } finally {
      this.#openssl.unload();
    }
  }

  /** Encrypts and sends one record; false if that cannot be done. */
  send(bytes: Uint8Array): boolean {
    if (this.#state !== "secured" || bytes.length === 0 || bytes.length > MAX_PLAINTEXT) return false;
    const { native } = this.#openssl;
    const written = native.SSL_write(this.#ssl, bytes, bytes.length);
    if (written <= 0) native.ERR_clear_error();
    this.#sendAll(this.#takeOutput());
    return written > 0;
  }

  /**
   * Retransmits if it is time to.
   * @returns whether it did
   */
  tick(now: Instant): boolean {
    if (this.#retransmitAt === undefined || now < this.#retransmitAt) return false;
    this.#timeout = Math.min(this.#timeout * 2, LAST_TIMEOUT);
    this.#retransmitAt = now + this.#timeout;
    const records = this.#openssl.retransmit(this.#ssl);
    if (records.length > 0) this.#flight = this.#number(records);
    else this.#renumberFlight();
    this.#sendAll(this.#flight);
    return true;
  }

  /**
   * Sends the last flight again, as its receiver seems not to have got it.
   * @returns false if there is none any more, or it was repeated often enough
   */
  repeat(): boolean {
    if (this.#flight.length === 0 || this.#repeats >= MAX_REPEATS) return false;
    this.#repeats++;
    this.#renumberFlight();
    this.#sendAll(this.#flight);
    return true;
  }

  /** Stops the retransmission timer: the peer's next flight has come, only its key has not. */
  stopTimer(): void {
    this.#retransmitAt = undefined;
  }

  /** Forgets the last flight: the peer has it. */
  dropFlight(): void {
    this.#flight = [];
  }

  /** Sends close_notify if the session is secured, and frees the native object. */
  close(): void {
    const goodbye = this.#goodbye();
    this.free();
    this.#sendAll(goodbye);
  }

  /** Frees the native object without a word to the peer. */
  free(): void {
    if (this.#state === "freed") return;
    this.#state = "freed";
    this.#flight = [];
    this.#retransmitAt = undefined;
    const { native } = this.#openssl;
    native.SSL_free(this.#ssl);
    native.ERR_clear_error();
  }

  /** A method, because a callback may have ended the session where the type checker sees no assignment. */
  #isSecured(): boolean {
    return this.#state === "secured";
  }

  /**
   * Delivers what was decrypted: one record if the datagram held only that, or else as many as there are. In each turn all
   * calls into OpenSSL come before the first callback, as a callback may free the native object.
   */
  #read(oneRecord: boolean): boolean {
    const { native, plaintext } = this.#openssl;
    let answered = false;
    while (this.#isSecured()) {
      const length = native.SSL_read(this.#ssl, plaintext, plaintext.length);
      let output = this.#takeOutput();
      answered ||= output.length > 0;
      if (length > 0) {
        const message = Buffer.from(plaintext.subarray(0, length));
        // A record before this one may not have decrypted, which leaves errors behind.
        if (!oneRecord) native.ERR_clear_error();
        this.#sendAll(output);
        if (this.#isSecured()) this.#owner.message(message);
        if (oneRecord) break;
      } else {
        const end = this.#whyOver(false);
        if (end === "closed-by-peer") output = [...output, ...this.#goodbye()];
        if (end !== undefined) this.free();
        this.#sendAll(output);
        if (end !== undefined) this.#owner.ended(end);
        break;
      }
    }
    return answered;
  }

  /**
   * Asked after a call that gave nothing. SSL_get_error cannot tell, as it takes what a dropped bad record left in the error
   * queue for the end; and SSL_want alone cannot, as in a handshake it says "reading" after fatal alerts too.
   * @returns undefined if OpenSSL waits for the next datagram, or why the session is over
   */
  #whyOver(sentAlert: boolean): CloseReason | undefined {
    const { native } = this.#openssl;
    const gotAlert = native.SSL_get_shutdown(this.#ssl) !== 0;
    const waiting = !sentAlert && !gotAlert && native.SSL_want(this.#ssl) === SSL_READING;
    if (waiting) {
      native.ERR_clear_error();
      return undefined;
    }
    const errors: number[] = [];
    for (let error = native.ERR_get_error(); error !== 0; error = native.ERR_get_error()) errors.push(error);
    const reasons = errors.map(sslReason);
    if (reasons.some(isAlert)) return "alert";
    if (gotAlert) return "closed-by-peer";
    if (reasons.includes(SSL_R_NO_SHARED_CIPHER)) return "no-shared-cipher";
    return this.#certificateFault(errors) ?? "protocol-error";
  }

  #certificateFault(errors: readonly number[]): CloseReason | undefined {
    // A ServerHello may have come in the same datagram as the certificate that is at fault.
    const suite = this.#cipherSuite ?? this.#openssl.cipherSuite(this.#ssl);
    if (suite === undefined || CIPHER_SUITES[suite].proof !== "certificate") return undefined;
    const result = this.#openssl.certificates.verifyResult(this.#ssl);
    if (result !== X509_V_OK) return faultOfVerification(result);
    return errors.map(faultOfError).find((fault) => fault !== undefined);
  }

  #goodbye(): readonly Buffer[] {
    if (this.#state !== "secured") return NOTHING;
    this.#openssl.native.SSL_shutdown(this.#ssl);
    return this.#takeOutput();
  }

  /** What OpenSSL wrote, its records in the clear numbered, packed into datagrams. */
  #takeOutput(): readonly Buffer[] {
    const records = this.#openssl.takeOutput();
    return records.length === 0 ? NOTHING : this.#number(records);
  }

  #number(records: Buffer): Buffer[] {
    this.#nextRecord = renumber(records, this.#nextRecord);
    return packRecords(records, this.#mtu);
  }

  /** Copies, as the datagrams that were sent before may still be in somebody's hands. */
  #renumberFlight(): void {
    this.#flight = this.#flight.map((datagram) => {
      const copy = Buffer.from(datagram);
      this.#nextRecord = renumber(copy, this.#nextRecord);
      return copy;
    });
  }

  #sendAll(datagrams: readonly Buffer[]): void {
    for (const datagram of datagrams) this.#owner.send(datagram);
  }
}

function isAlert(reason: number | undefined): boolean {
  return reason !== undefined && reason >= SSL_AD_REASON_OFFSET && reason < SSL_AD_REASON_OFFSET + 256;
}

function isOneRecordOfData(datagram: Uint8Array): boolean {
  return datagram[0] === APPLICATION_DATA && recordEnd(datagram, 0) === datagram.length;
}
