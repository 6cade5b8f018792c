import { HANDSHAKE, HANDSHAKE_HEADER, RECORD_HEADER, recordEnd, recordEpoch, uint16, uint24 } from "./records.ts";

const CLIENT_KEY_EXCHANGE = 16;
/** Identity of 65535 bytes at most by RFC 4279; OpenSSL takes 256, and an elliptic curve point is 133 bytes at most. */
const MAX_MESSAGE = 1024;

/**
 * Finds the PSK identity in a client's ClientKeyExchange, which is in the clear: in PSK and ECDHE_PSK alike the message
 * begins with the identity's length in two bytes and the identity (RFC 4279 section 2, RFC 5489 section 2). It knows
 * fragments in any order (RFC 6347 section 4.2.3).
 */
export class PskIdentityReader {
  #message: Buffer | undefined;
  #seen: Uint8Array = new Uint8Array(0);
  #identity: Buffer | undefined;

  /** The identity, once enough of the message was seen. */
  get identity(): Buffer | undefined {
    return this.#identity;
  }

  /** Whether every byte of the message was seen. */
  get complete(): boolean {
    return this.#message !== undefined && this.#seen.every((seen) => seen === 1);
  }

  /** Looks for parts of ClientKeyExchange in all records of a datagram. */
  scan(datagram: Uint8Array): void {
    for (let at = 0, end = recordEnd(datagram, 0); end > 0; at = end, end = recordEnd(datagram, at)) {
      if (datagram[at] !== HANDSHAKE || recordEpoch(datagram, at) !== 0) continue;
      let message = at + RECORD_HEADER;
      while (message + HANDSHAKE_HEADER <= end) {
        const next = message + HANDSHAKE_HEADER + uint24(datagram, message + 9);
        if (next > end) break;
        if (datagram[message] === CLIENT_KEY_EXCHANGE) this.#take(datagram, message, next);
        message = next;
      }
    }
  }

  #take(datagram: Uint8Array, header: number, end: number): void {
    const length = uint24(datagram, header + 1);
    const offset = uint24(datagram, header + 6);
    const fragment = datagram.subarray(header + HANDSHAKE_HEADER, end);
    if (length < 2 || length > MAX_MESSAGE || offset + fragment.length > length) return;
    if (this.#message === undefined) {
      this.#message = Buffer.alloc(length);
      this.#seen = new Uint8Array(length);
    }
    if (this.#message.length !== length) return;
    this.#message.set(fragment, offset);
    this.#seen.fill(1, offset, offset + fragment.length);
    const identityEnd = 2 + uint16(this.#message, 0);
    if (identityEnd <= length && this.#seen.subarray(0, identityEnd).every((seen) => seen === 1)) {
      this.#identity = this.#message.subarray(2, identityEnd);
    }
  }
}
