import { HEADER_LENGTH, TYPE } from "./constants.ts";

/** Type of the record that signs a message (RFC 8945 section 4.2). */
const TSIG = 250;

/**
 * Whether a message is one for {@link ZoneTransfers}: it asks for a transfer (RFC 5936, RFC 1995), or is signed, as TSIG is its
 * last record (RFC 8945 section 5.1). Anything at all may be in the message.
 */
export function isForTransfers(message: Uint8Array): boolean {
  if (message.length < HEADER_LENGTH || ((message[2] as number) & 0x80) !== 0 || uint16(message, 4) !== 1) return false;
  let at = skipName(message, HEADER_LENGTH);
  if (at < 0 || at + 4 > message.length) return false;
  const type = uint16(message, at);
  if (type === TYPE.AXFR || type === TYPE.IXFR) return true;
  if (uint16(message, 10) === 0) return false;
  at += 4;
  for (let left = uint16(message, 6) + uint16(message, 8) + uint16(message, 10); left > 0; left--) {
    at = skipName(message, at);
    if (at < 0 || at + 10 > message.length) return false;
    if (left === 1) return uint16(message, at) === TSIG;
    at += 10 + uint16(message, at + 8);
  }
  return false;
}

function uint16(message: Uint8Array, at: number): number {
  return ((message[at] as number) << 8) | (message[at + 1] as number);
}

/** @returns what follows a name, compressed or not (RFC 1035 section 4.1.4), or -1 */
function skipName(message: Uint8Array, start: number): number {
  for (let at = start; at < message.length; at += 1 + (message[at] as number)) {
    const length = message[at] as number;
    if (length === 0) return at + 1;
    if (length >= 0xc0) return at + 2;
  }
  return -1;
}
