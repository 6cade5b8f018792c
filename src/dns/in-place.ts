import { MAX_LABEL } from "./constants.ts";

/** The 16-bit number at `at`, network byte order. */
export function uint16(message: Uint8Array, at: number): number {
  return ((message[at] as number) << 8) | (message[at + 1] as number);
}

/** @returns what follows a name, compressed or not (RFC 1035 section 4.1.4), or -1 */
export function skipName(message: Uint8Array, start: number): number {
  let at = start;
  while (at < message.length) {
    const length = message[at] as number;
    if (length === 0) return at + 1;
    if (length >= 0xc0) return at + 2;
    if (length > MAX_LABEL) return -1;
    at += 1 + length;
  }
  return -1;
}
