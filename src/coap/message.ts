import { generate, type NamedOption, type Packet, parse } from "coap-packet";
import type { Method, ResponseCode } from "./constants.ts";

/** RFC 7252 section 3: the two bits behind the version. */
export const MessageType = { confirmable: 0, nonConfirmable: 1, acknowledgement: 2, reset: 3 } as const;
export type MessageType = (typeof MessageType)[keyof typeof MessageType];

/** A message as received. Token, option values and payload point into its datagram. */
export interface Message {
  readonly type: MessageType;
  /** The code's byte: class in the upper three bits, detail in the lower five. */
  readonly code: number;
  readonly messageId: number;
  readonly token: Buffer;
  readonly options: readonly ReceivedOption[];
  readonly payload: Buffer;
}

/** An option that was received: by name where coap-packet knows it, by number where not. */
export interface ReceivedOption {
  readonly name: string | number;
  readonly value: Buffer;
}

/** A datagram that is no well-formed message. One that could be read as confirmable is rejected by its message id. */
export interface Malformed {
  readonly rejectedId: number | undefined;
}

/** The code of an empty message. */
export const EMPTY_CODE = 0;
const HEADER_LENGTH = 4;
const MAX_TOKEN_LENGTH = 8;
const PAYLOAD_MARKER = 0xff;
/** No bytes. */
export const NOTHING: Buffer = Buffer.alloc(0);
const MAX_DATAGRAM = 0xffff;

/** Codes 0.01 to 0.07 are methods (RFC 7252 section 12.1.1, RFC 8132 section 2). */
const METHODS: readonly (Method | undefined)[] = [undefined, "GET", "POST", "PUT", "DELETE", "FETCH", "PATCH", "iPATCH"];

/** Whether a code byte is of class 0, requests; of which not all are methods we know. */
export function isRequestCode(code: number): boolean {
  return code !== EMPTY_CODE && code < 32;
}

/** The method of a request code; undefined when there is none with it. */
export function methodOf(code: number): Method | undefined {
  return METHODS[code];
}

/** The texts of all bytes that are response codes: classes 2 to 5; 0 is requests, the others are reserved. */
const RESPONSE_CODES: readonly (ResponseCode | undefined)[] = Array.from({ length: 256 }, (_, code) => {
  const detail = String(code & 31).padStart(2, "0");
  const classes: readonly (ResponseCode | undefined)[] = [
    undefined,
    undefined,
    `2.${detail}`,
    `3.${detail}`,
    `4.${detail}`,
    `5.${detail}`,
  ];
  return classes[code >> 5];
});

/** The text of a response code's byte: 68 is "2.04"; undefined when it is no response code. */
export function responseCodeOf(code: number): ResponseCode | undefined {
  return RESPONSE_CODES[code];
}

/** Reads one datagram (RFC 7252 section 3). undefined: not CoAP version 1 at all, to be ignored. */
export function decode(datagram: Uint8Array): Message | Malformed | undefined {
  const bytes = asBuffer(datagram);
  const first = bytes[0] ?? 0;
  if (bytes.length < HEADER_LENGTH || first >> 6 !== 1) return undefined;
  const type = ((first >> 4) & 3) as MessageType;
  const messageId = bytes.readUInt16BE(2);
  try {
    if (staysInside(bytes)) {
      const { token, options, payload } = parse(bytes);
      return { type, code: bytes[1] ?? 0, messageId, token, options, payload };
    }
  } catch {
    // coap-packet throws on reserved lengths and on headers that are cut off
  }
  return { rejectedId: type === MessageType.confirmable ? messageId : undefined };
}

/** Whether a result of {@link decode} is a message. */
export function isMessage(decoded: Message | Malformed): decoded is Message {
  return "token" in decoded;
}

/**
 * Checks what coap-packet lets pass: tokens over 8 bytes, a token or option value that is cut off, and a payload marker
 * with nothing behind it; all are format errors (RFC 7252 sections 3 and 3.1).
 */
function staysInside(bytes: Buffer): boolean {
  const tokenLength = (bytes[0] ?? 0) & 15;
  if (tokenLength > MAX_TOKEN_LENGTH) return false;
  let at = HEADER_LENGTH + tokenLength;
  while (at < bytes.length) {
    const head = bytes[at] ?? 0;
    if (head === PAYLOAD_MARKER) return at + 1 < bytes.length;
    const delta = head >> 4;
    const length = head & 15;
    at += 1 + extensionLength(delta);
    if (length === 14) at += 2 + 269 + (((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0));
    else if (length === 13) at += 1 + 13 + (bytes[at] ?? 0);
    else at += length;
  }
  return at === bytes.length;
}

function extensionLength(nibble: number): number {
  return nibble < 13 ? 0 : nibble - 12;
}

/** Writes a message with a code. `code` is a method or a response code's text. */
export function encode(
  type: MessageType,
  code: string,
  messageId: number,
  token: Buffer,
  options: NamedOption[],
  payload: Uint8Array | undefined,
): Buffer {
  const head = generate(packet(type, code, messageId, token, options), MAX_DATAGRAM);
  if (payload === undefined || payload.length === 0) return head;
  // coap-packet turns a payload into text, twice, to see whether it is empty: so it is added here
  const whole = Buffer.alloc(head.length + 1 + payload.length);
  whole.set(head);
  whole[head.length] = PAYLOAD_MARKER;
  whole.set(payload, head.length + 1);
  return whole;
}

/** Writes an empty message: an acknowledgement or a reset (RFC 7252 section 4.1). */
export function encodeEmpty(type: MessageType, messageId: number): Buffer {
  return generate(packet(type, "0.00", messageId, NOTHING, []));
}

/** A packet with all fields there from the beginning: coap-packet would add what is missing, which is slow. */
function packet(type: MessageType, code: string, messageId: number, token: Buffer, options: NamedOption[]): Packet {
  const confirmable = type === MessageType.confirmable;
  const ack = type === MessageType.acknowledgement;
  const reset = type === MessageType.reset;
  return { code, messageId, token, options, payload: NOTHING, confirmable, ack, reset };
}

/** A copy of `payload`, which outlives its datagram. */
export function copyOf(payload: Uint8Array): Buffer {
  return payload.length === 0 ? NOTHING : Buffer.from(payload);
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
