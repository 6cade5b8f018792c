import {
  CHANGE_CIPHER_SPEC,
  HANDSHAKE,
  HANDSHAKE_HEADER,
  RECORD_HEADER,
  recordEnd,
  recordEpoch,
  uint16,
  uint24,
} from "./records.ts";

/** What stands in the clear in the flight, and how many messages after ClientHello (RFC 5246 section 7.3). */
const PLACES: ReadonlyMap<number, number> = new Map([
  [11, 1], // Certificate
  [16, 2], // ClientKeyExchange
  [15, 3], // CertificateVerify
]);
const CERTIFICATE = 11;
/** Longest Certificate message: eight certificates with RSA keys of 4096 bits. OpenSSL sets aside as much for its parts. */
export const MAX_CERTIFICATES = 16_384;
/** The longest signature or elliptic curve point there is fits well. */
const MAX_OTHER = 2048;
/** Encrypted records that may wait; anybody can send them and nobody can judge them yet. */
const MAX_ENCRYPTED = 2;
const MAX_LENGTH = 2048;

/**
 * Sorts the flight of a client with a certificate: Certificate, ClientKeyExchange, CertificateVerify, ChangeCipherSpec,
 * Finished, in any order, in fragments or repeated. OpenSSL puts the messages together, but it drops a ChangeCipherSpec that
 * is early, and sets aside 16 kB for each encrypted record that is. So these two wait here, and of the messages only those
 * pass that can be of use: for each other one OpenSSL would set aside as much as a chain may have.
 */
export class CertificateFlight {
  readonly #helloSequence: number;
  #cipherChange: Buffer | undefined;
  #tooLong = false;
  readonly #encrypted: Buffer[] = [];

  /** @param helloSequence the ClientHello's message_seq */
  constructor(helloSequence: number) {
    this.#helloSequence = helloSequence;
  }

  /** Takes in a datagram; says what of it OpenSSL can have at once, and what only after ChangeCipherSpec. */
  sort(datagram: Uint8Array): { readonly clear: Uint8Array; readonly encrypted: readonly Uint8Array[] } {
    const clear: Uint8Array[] = [];
    const encrypted: Uint8Array[] = [];
    for (let at = 0, end = recordEnd(datagram, 0); end > 0; at = end, end = recordEnd(datagram, at)) {
      const record = datagram.subarray(at, end);
      if (recordEpoch(record, 0) > 0) encrypted.push(record);
      else if (record[0] === CHANGE_CIPHER_SPEC && record.length <= MAX_LENGTH) this.#cipherChange ??= Buffer.from(record);
      else if (record[0] === HANDSHAKE && this.#isOfUse(record)) clear.push(record);
    }
    return { clear: clear.length === 1 && clear[0] !== undefined ? clear[0] : Buffer.concat(clear), encrypted };
  }

  /** Whether the client has announced more certificates than are read. */
  get tooLong(): boolean {
    return this.#tooLong;
  }

  /** ChangeCipherSpec, once it is there, and the encrypted records that came before their time. */
  get rest(): readonly Uint8Array[] | undefined {
    return this.#cipherChange === undefined ? undefined : [this.#cipherChange, ...this.#encrypted];
  }

  /**
   * Keeps an encrypted record whose time has not come.
   * @returns false if there is no room for it
   */
  keep(record: Uint8Array): boolean {
    if (this.#encrypted.length >= MAX_ENCRYPTED || record.length > MAX_LENGTH) return false;
    this.#encrypted.push(Buffer.from(record));
    return true;
  }

  #isOfUse(record: Uint8Array): boolean {
    let message = RECORD_HEADER;
    while (message + HANDSHAKE_HEADER <= record.length) {
      const type = record[message] ?? 0;
      const length = uint24(record, message + 1);
      if (PLACES.get(type) !== uint16(record, message + 4) - this.#helloSequence) return false;
      if (type === CERTIFICATE && length > MAX_CERTIFICATES) this.#tooLong = true;
      if (length > (type === CERTIFICATE ? MAX_CERTIFICATES : MAX_OTHER)) return false;
      message += HANDSHAKE_HEADER + uint24(record, message + 9);
    }
    return message === record.length;
  }
}
