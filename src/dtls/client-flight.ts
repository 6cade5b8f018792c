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

const CLIENT_KEY_EXCHANGE = 16;
/** An identity of 256 bytes and the largest elliptic curve point fit well. */
const MAX_KEY_EXCHANGE = 1024;
/** A client sends its flight in one to three datagrams, or some more if fragmented, and may repeat it while it waits. */
const MAX_DATAGRAMS = 8;
/** Of which this many may be encrypted ones, which anybody can send and nobody can judge yet. */
const MAX_ENCRYPTED = 2;
const MAX_LENGTH = 2048;

/**
 * Gathers the flight that ends a client's handshake: ClientKeyExchange, ChangeCipherSpec and Finished, in any order, in
 * fragments or repeated. It is kept here, in small and bounded memory, until it can be given to OpenSSL in order, for three
 * reasons: the key has to be known by then; OpenSSL drops a ChangeCipherSpec that is early; and it would set aside 16 kB for
 * each encrypted record that is early.
 *
 * The identity is in the clear. In PSK and ECDHE_PSK alike ClientKeyExchange begins with its length in two bytes and the
 * identity (RFC 4279 section 2, RFC 5489 section 2).
 */
export class ClientFlight {
  readonly #datagrams: { readonly bytes: Buffer; readonly order: number }[] = [];
  #keyExchange: Buffer | undefined;
  /** For each byte of ClientKeyExchange, 1 if it was seen. */
  #seen: Buffer = Buffer.alloc(0);
  #cipherChanged = false;

  /**
   * Takes in a datagram, if it has something of the flight.
   * @returns false if there is no room for it
   */
  add(datagram: Uint8Array): boolean {
    const order = orderOf(datagram);
    if (order === undefined) return true;
    if (this.#datagrams.length >= MAX_DATAGRAMS || datagram.length > MAX_LENGTH) return false;
    if (order === ENCRYPTED && this.#datagrams.filter((one) => one.order === ENCRYPTED).length >= MAX_ENCRYPTED) return false;
    this.#datagrams.push({ bytes: Buffer.from(datagram), order });
    for (let at = 0, end = recordEnd(datagram, 0); end > 0; at = end, end = recordEnd(datagram, at)) {
      if (recordEpoch(datagram, at) !== 0) continue;
      if (datagram[at] === CHANGE_CIPHER_SPEC) this.#cipherChanged = true;
      if (datagram[at] === HANDSHAKE) this.#readMessages(datagram, at + RECORD_HEADER, end);
    }
    return true;
  }

  /** The identity, once ClientKeyExchange is whole. */
  get identity(): Uint8Array | undefined {
    if (this.#keyExchange === undefined || this.#seen.includes(0)) return undefined;
    const length = uint16(this.#keyExchange, 0);
    return 2 + length <= this.#keyExchange.length ? this.#keyExchange.subarray(2, 2 + length) : undefined;
  }

  /** Whether OpenSSL can do something with it. Finished may still come, as it does no harm when it is late. */
  get complete(): boolean {
    return this.#cipherChanged && this.identity !== undefined;
  }

  /** The datagrams in the order OpenSSL wants. */
  get datagrams(): readonly Uint8Array[] {
    return this.#datagrams.toSorted((a, b) => a.order - b.order).map(({ bytes }) => bytes);
  }

  #readMessages(datagram: Uint8Array, first: number, end: number): void {
    let message = first;
    while (message + HANDSHAKE_HEADER <= end) {
      const next = message + HANDSHAKE_HEADER + uint24(datagram, message + 9);
      if (next > end) return;
      if (datagram[message] === CLIENT_KEY_EXCHANGE) this.#takeFragment(datagram, message, next);
      message = next;
    }
  }

  #takeFragment(datagram: Uint8Array, header: number, end: number): void {
    const length = uint24(datagram, header + 1);
    const offset = uint24(datagram, header + 6);
    const fragment = datagram.subarray(header + HANDSHAKE_HEADER, end);
    if (length < 2 || length > MAX_KEY_EXCHANGE || offset + fragment.length > length) return;
    if (this.#keyExchange === undefined) {
      this.#keyExchange = Buffer.alloc(length);
      this.#seen = Buffer.alloc(length);
    }
    if (this.#keyExchange.length !== length) return;
    this.#keyExchange.set(fragment, offset);
    this.#seen.fill(1, offset, offset + fragment.length);
  }
}

/** Places in the flight; a part of ClientKeyExchange has its offset, which is less than 2^24. */
const CIPHER_CHANGE = 2 ** 24;
const ENCRYPTED = 2 ** 25;

/** Where a datagram belongs by its first record: ClientKeyExchange by its offset, ChangeCipherSpec, Finished; or nowhere. */
function orderOf(datagram: Uint8Array): number | undefined {
  if (recordEnd(datagram, 0) < 0) return undefined;
  if (recordEpoch(datagram, 0) > 0) return ENCRYPTED;
  if (datagram[0] === CHANGE_CIPHER_SPEC) return CIPHER_CHANGE;
  const isKeyExchange = datagram[0] === HANDSHAKE && datagram[RECORD_HEADER] === CLIENT_KEY_EXCHANGE;
  return isKeyExchange ? uint24(datagram, RECORD_HEADER + 6) : undefined;
}
