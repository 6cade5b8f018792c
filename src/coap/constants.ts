import type { Milliseconds } from "../lib/clock.ts";

/** Request methods, RFC 7252 section 12.1.1 and RFC 8132. */
export type Method = "GET" | "POST" | "PUT" | "DELETE" | "FETCH" | "PATCH" | "iPATCH";

/** Response codes in the notation of RFC 7252 section 5.9 (`class.detail`), and 2.31, 4.08 of RFC 7959. */
export const Code = {
  created: "2.01",
  deleted: "2.02",
  valid: "2.03",
  changed: "2.04",
  content: "2.05",
  continue: "2.31",
  badRequest: "4.00",
  unauthorized: "4.01",
  badOption: "4.02",
  forbidden: "4.03",
  notFound: "4.04",
  methodNotAllowed: "4.05",
  notAcceptable: "4.06",
  requestEntityIncomplete: "4.08",
  preconditionFailed: "4.12",
  requestEntityTooLarge: "4.13",
  unsupportedContentFormat: "4.15",
  internalServerError: "5.00",
  notImplemented: "5.01",
  serviceUnavailable: "5.03",
  proxyingNotSupported: "5.05",
} as const;

/** A response code as text, `class.detail`: "2.04". Peers may send codes {@link Code} does not list. */
export type ResponseCode = `${2 | 3 | 4 | 5}.${string}`;

/** Whether `code` is of class 2, success. */
export function isSuccess(code: ResponseCode): boolean {
  return code.startsWith("2");
}

/** RFC 7252 section 4.8: the defaults of the transmission parameters. */
export const ACK_TIMEOUT: Milliseconds = 2_000;
export const ACK_RANDOM_FACTOR = 1.5;
export const MAX_RETRANSMIT = 4;
/** RFC 7252 section 4.8.2: the longest a datagram is expected to be under way. */
const MAX_LATENCY: Milliseconds = 100_000;
/** RFC 7252 section 4.8.2: the time a message id must not be used again, 247 s with the default parameters. */
export const EXCHANGE_LIFETIME: Milliseconds = exchangeLifetime(ACK_TIMEOUT, ACK_RANDOM_FACTOR, MAX_RETRANSMIT);

/** EXCHANGE_LIFETIME of other transmission parameters: MAX_TRANSMIT_SPAN + 2 MAX_LATENCY + PROCESSING_DELAY. */
export function exchangeLifetime(ackTimeout: Milliseconds, ackRandomFactor: number, maxRetransmit: number): Milliseconds {
  const maxTransmitSpan = ackTimeout * (2 ** maxRetransmit - 1) * ackRandomFactor;
  return maxTransmitSpan + 2 * MAX_LATENCY + ackTimeout;
}
