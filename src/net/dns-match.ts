import { FLAG, HEADER_LENGTH, lowerCase, MAX_LABEL } from "../dns/index.ts";

/** The id of a DNS message, which has a header (RFC 1035 section 4.1.1). */
export function messageId(message: Uint8Array): number {
  return ((message[0] as number) << 8) | (message[1] as number);
}

/**
 * Whether a message may be the answer to a request: same id and operation, and the same question, whatever the case of its
 * letters. One without question is accepted too, as servers answer so that could not read the request.
 */
export function answers(message: Uint8Array, request: Uint8Array): boolean {
  if (message.length < HEADER_LENGTH || messageId(message) !== messageId(request)) return false;
  const [ours, theirs] = [request[2] as number, message[2] as number];
  if ((theirs & (FLAG.RESPONSE >> 8)) === 0 || (ours & 0x78) !== (theirs & 0x78)) return false;
  if (message[4] === 0 && message[5] === 0) return true;
  const end = questionEnd(request);
  for (let at = 4; at < 6; at++) if (message[at] !== request[at]) return false;
  for (let at = HEADER_LENGTH; at < end; at++) {
    const byte = message[at];
    if (byte === undefined || lowerCase(byte) !== lowerCase(request[at] as number)) return false;
  }
  return true;
}

/** Where the question of one of our own messages ends; its name is not compressed. */
function questionEnd(request: Uint8Array): number {
  let at = HEADER_LENGTH;
  for (let length = request[at]; length !== undefined && length > 0 && length <= MAX_LABEL; length = request[at])
    at += 1 + length;
  return Math.min(request.length, at + 5);
}
