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
/** The longest signature or elliptic curve point there is fits well. The certificates' length OpenSSL judges. */
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
  readonly #encrypted: Buffer[] = [];

  /** @param helloSequence the ClientHello's message_seq */
  constructor(helloSequence: number) {
    this.#helloSequence = helloSequence;
  }

  /**
   * Takes in a datagram.
   * @returns what of it OpenSSL can have now, if anything; "full" if there was an encrypted record too many
   */
  sort(datagram: Uint8Array): Buffer | "full" | undefined {
    const clear: Uint8Array[] = [];
    let full = false;
    for (let at = 0, end = recordEnd(datagram, 0); end > 0; at = end, end = recordEnd(datagram, at)) {
      const record = datagram.subarray(at, end);
      if (recordEpoch(record, 0) > 0) full ||= !this.#keep(record);
      else if (record[0] === CHANGE_CIPHER_SPEC && record.length <= MAX_LENGTH) this.#cipherChange ??= Buffer.from(record);
      else if (record[0] === HANDSHAKE && this.#isOfUse(record)) clear.push(record);
    }
    if (clear.length > 0) return Buffer.concat(clear);
    return full ? "full" : undefined;
  }

  /** Whether ChangeCipherSpec is there. */
  get cipherChanged(): boolean {
    return this.#cipherChange !== undefined;
  }

  /** What OpenSSL gets once it has taken in CertificateVerify. */
  get rest(): readonly Uint8Array[] {
    return this.#cipherChange === undefined ? [] : [this.#cipherChange, ...this.#encrypted];
  }

  #keep(record: Uint8Array): boolean {
    if (this.#encrypted.length >= MAX_ENCRYPTED || record.length > MAX_LENGTH) return false;
    this.#encrypted.push(Buffer.from(record));
    return true;
  }

  #isOfUse(record: Uint8Array): boolean {
    let message = RECORD_HEADER;
    while (message + HANDSHAKE_HEADER <= record.length) {
      const type = record[message] ?? 0;
      const place = uint16(record, message + 4) - this.#helloSequence;
      if (PLACES.get(type) !== place || (type !== CERTIFICATE && uint24(record, message + 1) > MAX_OTHER)) return false;
      message += HANDSHAKE_HEADER + uint24(record, message + 9);
    }
    return message === record.length;
  }
}
