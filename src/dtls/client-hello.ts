import { HANDSHAKE, HANDSHAKE_HEADER, RECORD_HEADER, recordEnd, recordEpoch, uint16, uint24 } from "./records.ts";

const CLIENT_HELLO = 1;
const HELLO_VERIFY_REQUEST = 3;
const DTLS_MAJOR = 0xfe;
const RANDOM_END = 2 + 32;
const BODY = RECORD_HEADER + HANDSHAKE_HEADER;
// Extensions: RFC 6066 section 3, RFC 7250 section 3.
const SERVER_NAME = 0;
const CLIENT_CERTIFICATE_TYPE = 19;
const SERVER_CERTIFICATE_TYPE = 20;
const RAW_PUBLIC_KEY = 2;
const NAME_TYPE_HOST_NAME = 0;

/** A ClientHello as it stands in its datagram. */
export interface ClientHello {
  readonly datagram: Uint8Array;
  readonly messageSequence: number;
  /** version, random and session_id (RFC 6347 section 4.2.1). */
  readonly head: Uint8Array;
  /** Empty in a first ClientHello. */
  readonly cookie: Uint8Array;
  /** cipher_suites and compression_methods. */
  readonly tail: Uint8Array;
  /** Where the extensions begin in `datagram`; there may be none. */
  readonly extensions: number;
}

/** Whether a datagram begins like a ClientHello in the clear, whole or in part. */
export function looksLikeClientHello(datagram: Uint8Array): boolean {
  return datagram[0] === HANDSHAKE && datagram[RECORD_HEADER] === CLIENT_HELLO && recordEpoch(datagram, 0) === 0;
}

/**
 * Reads the ClientHello a datagram begins with. The record's minor version is not looked at, as clients write 0xFE00,
 * 0xFEFF and 0xFEFD there. A ClientHello in fragments is not read: putting it together would need memory for a peer whose
 * address is not proven, and with PSK none is longer than a datagram.
 * @returns undefined if it is malformed or a fragment
 */
export function readClientHello(datagram: Uint8Array): ClientHello | undefined {
  const end = recordEnd(datagram, 0);
  if (end < 0 || !looksLikeClientHello(datagram) || datagram[1] !== DTLS_MAJOR || end < BODY) return undefined;
  const length = uint24(datagram, RECORD_HEADER + 1);
  const offset = uint24(datagram, RECORD_HEADER + 6);
  if (offset !== 0 || uint24(datagram, RECORD_HEADER + 9) !== length || BODY + length !== end) return undefined;
  const sessionId = BODY + RANDOM_END;
  const cookie = sessionId + 1 + (datagram[sessionId] ?? 0);
  const suites = cookie + 1 + (datagram[cookie] ?? 0);
  if (suites + 2 > end) return undefined;
  const compression = suites + 2 + uint16(datagram, suites);
  const extensions = compression + 1 + (datagram[compression] ?? 0);
  if (compression + 1 > end || extensions > end) return undefined;
  return {
    datagram: datagram.subarray(0, end),
    messageSequence: uint16(datagram, RECORD_HEADER + 4),
    head: datagram.subarray(BODY, cookie),
    cookie: datagram.subarray(cookie + 1, suites),
    tail: datagram.subarray(suites, extensions),
    extensions,
  };
}

/** The sequence number of the record a ClientHello came in. */
export function recordSequence(hello: ClientHello): number {
  return uint16(hello.datagram, 5) * 0x1_0000_0000 + (uint16(hello.datagram, 7) * 0x1_0000 + uint16(hello.datagram, 9));
}

/** The host name in the server_name extension (RFC 6066 section 3), lower case; undefined if there is none. */
export function serverNameOf(hello: ClientHello): string | undefined {
  const body = extensionOf(hello, SERVER_NAME);
  if (body === undefined || body[2] !== NAME_TYPE_HOST_NAME) return undefined;
  const end = 5 + uint16(body, 3);
  return end > body.length ? undefined : Buffer.from(body.subarray(5, end)).toString("latin1").toLowerCase();
}

/**
 * Whether a client would have raw public keys (RFC 7250) on both sides, as LwM2M has no other case: as what it wants most,
 * or besides certificates.
 */
export function rawPublicKeysIn(hello: ClientHello): "wanted" | "possible" | "no" {
  const lists = [CLIENT_CERTIFICATE_TYPE, SERVER_CERTIFICATE_TYPE].map((type) => extensionOf(hello, type)?.subarray(1));
  if (!lists.every((list) => list?.includes(RAW_PUBLIC_KEY))) return "no";
  return lists.every((list) => list?.[0] === RAW_PUBLIC_KEY) ? "wanted" : "possible";
}

function extensionOf({ datagram, extensions }: ClientHello, type: number): Uint8Array | undefined {
  for (let at = extensions + 2; at + 4 <= datagram.length; ) {
    const body = at + 4;
    const end = body + uint16(datagram, at + 2);
    if (uint16(datagram, at) === type) return end > datagram.length ? undefined : datagram.subarray(body, end);
    at = end;
  }
  return undefined;
}

/**
 * The HelloVerifyRequest that hands `cookie` to the sender of `hello`: the record echoes the ClientHello's sequence number,
 * and version is DTLS 1.0 in both places (RFC 6347 section 4.2.1).
 */
export function helloVerifyRequest(hello: ClientHello, cookie: Uint8Array): Buffer {
  const length = 3 + cookie.length;
  const answer = Buffer.alloc(BODY + length);
  answer[0] = HANDSHAKE;
  answer.writeUInt16BE(0xfeff, 1);
  answer.set(hello.datagram.subarray(3, 11), 3);
  answer.writeUInt16BE(HANDSHAKE_HEADER + length, 11);
  answer[RECORD_HEADER] = HELLO_VERIFY_REQUEST;
  answer.writeUIntBE(length, RECORD_HEADER + 1, 3);
  answer.writeUIntBE(length, RECORD_HEADER + 9, 3);
  answer.writeUInt16BE(0xfeff, BODY);
  answer[BODY + 2] = cookie.length;
  answer.set(cookie, BODY + 3);
  return answer;
}
