import type { Instant, Milliseconds } from "../lib/clock.ts";
import { type CipherSuite, suiteOfCode } from "./cipher-suites.ts";
import type { Pointer } from "./native.ts";
import type { OpenSsl } from "./openssl.ts";
import { ALERT, APPLICATION_DATA, hasRecord, packRecords, recordEnd, renumber } from "./records.ts";
import type { CloseReason } from "./types.ts";

/** RFC 6347 section 4.2.4.1: the retransmission timer begins at 1 s and doubles to 60 s at most. */
const FIRST_TIMEOUT: Milliseconds = 1000;
const LAST_TIMEOUT: Milliseconds = 60_000;
/** How often a server repeats its last flight for a client that did not get it, as OpenSSL does for its timer. */
const MAX_REPEATS = 12;
/** Longest plaintext of a record (RFC 5246 section 6.2.1). */
const MAX_PLAINTEXT = 16_384;

const SSL_READING = 3;
const SSL_R_NO_SHARED_CIPHER = 193;
/** OpenSSL's reason for "the peer sent a fatal alert" is this plus the alert's number. */
const SSL_AD_REASON_OFFSET = 1000;
const ERR_REASON_MASK = 0x7f_ffff;

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

  /** The cipher suite of a secured session. */
  get cipherSuite(): CipherSuite | undefined {
    if (this.#state !== "secured") return undefined;
    const { native } = this.#openssl;
    return suiteOfCode(native.SSL_CIPHER_get_protocol_id(native.SSL_get_current_cipher(this.#ssl)));
  }

  /** Takes the handshake as far as it goes without another datagram. */
  handshake(now: Instant): void {
    const result = this.#openssl.native.SSL_do_handshake(this.#ssl);
    const records = this.#openssl.takeOutput();
    if (records.length > 0) {
      this.#flight = this.#number(records);
      this.#timeout = FIRST_TIMEOUT;
      this.#retransmitAt = now + FIRST_TIMEOUT;
      this.#sendFlight();
    }
    if (result === 1) {
      this.#state = "secured";
      this.#retransmitAt = undefined;
      this.#owner.secured();
    } else {
      this.#judge(hasRecord(records, ALERT));
    }
  }

  /**
   * Reads one datagram of at most MAX_DATAGRAM bytes.
   * @returns whether that made OpenSSL send something
   */
  receive(datagram: Uint8Array, now: Instant): boolean {
    this.#openssl.load(datagram);
    try {
      const wasSecured = this.#state === "secured";
      if (!wasSecured) this.handshake(now);
      return this.#isSecured() && this.#read(wasSecured && isOneRecordOfData(datagram));
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
    this.#sendOutput();
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
    this.#sendFlight();
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
    this.#sendFlight();
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
    if (this.#state === "secured") {
      this.#openssl.native.SSL_shutdown(this.#ssl);
      this.#sendOutput();
    }
    this.free();
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

  /** Delivers what was decrypted: one record if the datagram held only that, or else as many as there are. */
  #read(one: boolean): boolean {
    const { native, plaintext } = this.#openssl;
    let answered = false;
    while (this.#isSecured()) {
      const length = native.SSL_read(this.#ssl, plaintext, plaintext.length);
      answered = this.#sendOutput() || answered;
      if (length <= 0) {
        this.#judge(false);
        break;
      }
      this.#owner.message(Buffer.from(plaintext.subarray(0, length)));
      if (one) break;
    }
    // A record that does not decrypt leaves errors behind, also when the next one in the same datagram does.
    if (!one) native.ERR_clear_error();
    return answered;
  }

  /**
   * After a call that gave nothing: OpenSSL waits for the next datagram, or the session is over. SSL_get_error cannot tell,
   * as it takes what a dropped bad record left in the error queue for the end; and SSL_want alone cannot, as in a handshake
   * it says "reading" after fatal alerts too.
   */
  #judge(sentAlert: boolean): void {
    const { native } = this.#openssl;
    const gotAlert = native.SSL_get_shutdown(this.#ssl) !== 0;
    const waiting = !sentAlert && !gotAlert && native.SSL_want(this.#ssl) === SSL_READING;
    const error = native.ERR_peek_error() & ERR_REASON_MASK;
    native.ERR_clear_error();
    if (waiting) return;
    const closeNotify = gotAlert && error < SSL_AD_REASON_OFFSET;
    if (closeNotify) this.close();
    else this.free();
    this.#owner.ended(closeNotify ? "closed-by-peer" : endOf(error));
  }

  #sendOutput(): boolean {
    const records = this.#openssl.takeOutput();
    if (records.length === 0) return false;
    for (const datagram of this.#number(records)) this.#owner.send(datagram);
    return true;
  }

  /** Numbers the records in the clear among `records`, and packs them into datagrams. */
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

  #sendFlight(): void {
    for (const datagram of this.#flight) this.#owner.send(datagram);
  }
}

function endOf(error: number): CloseReason {
  if (error === SSL_R_NO_SHARED_CIPHER) return "no-shared-cipher";
  return error > SSL_AD_REASON_OFFSET ? "alert" : "protocol-error";
}

function isOneRecordOfData(datagram: Uint8Array): boolean {
  return datagram[0] === APPLICATION_DATA && recordEnd(datagram, 0) === datagram.length;
}
