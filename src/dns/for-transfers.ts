import { HEADER_LENGTH, TYPE } from "./constants.ts";
import { skipName, uint16 } from "./in-place.ts";

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
    if (left === 1) return uint16(message, at) === TYPE.TSIG;
    at += 10 + uint16(message, at + 8);
  }
  return false;
}
