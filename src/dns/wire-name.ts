import { BerthError } from "../lib/errors.ts";
import { HEADER_LENGTH, MAX_LABEL, MAX_NAME } from "./constants.ts";
import { skipName } from "./in-place.ts";
import { lowerCase } from "./name.ts";

/** Bytes that are no DNS message, or one that says what it cannot say. Code `malformed-message`. */
export class MalformedMessage extends BerthError {
  constructor(why: string) {
    super("malformed-message", `malformed DNS message: ${why}`);
  }
}

/** A name that has 255 bytes has 127 labels, so more pointers lead nowhere. */
const MAX_POINTERS = 127;

/** Where names are put together; nothing else runs meanwhile. */
const scratch = new Uint8Array(MAX_NAME);

/**
 * Reads a name, compressed or not (RFC 1035 section 4.1.4). Pointers lead back only, so that there is no loop.
 * @returns the name whole, lower case, with the root's zero, and where what follows begins
 * @throws MalformedMessage
 */
export function readName(message: Uint8Array, start: number): { readonly name: Uint8Array; readonly end: number } {
  let at = start;
  let end = -1;
  let limit = start;
  let written = 0;
  for (let pointers = 0; ; ) {
    const length = byteAt(message, at++);
    if (length >= 0xc0) {
      const target = ((length & 0x3f) << 8) | byteAt(message, at);
      if (end < 0) end = at + 1;
      if (target >= limit || target < HEADER_LENGTH) throw new MalformedMessage("a name points to where no earlier name is");
      if (++pointers > MAX_POINTERS) throw new MalformedMessage("a name has too many pointers");
      at = target;
      limit = target;
      continue;
    }
    if (length > MAX_LABEL) throw new MalformedMessage("a label of an unknown kind");
    if (written + 1 + length > MAX_NAME) throw new MalformedMessage(`a name is longer than ${MAX_NAME} bytes`);
    if (at + length > message.length) throw new MalformedMessage("it ends in the middle of a name");
    scratch[written++] = length;
    if (length === 0) return { name: scratch.slice(0, written), end: end < 0 ? at : end };
    for (const labelEnd = at + length; at < labelEnd; at++) scratch[written++] = lowerCase(message[at] as number);
  }
}

/** Where what follows a name begins, compressed or not. @throws MalformedMessage */
export function nameEnd(message: Uint8Array, start: number): number {
  const end = skipName(message, start);
  if (end < 0) throw new MalformedMessage("a name does not end, or has a label of an unknown kind");
  return end;
}

function byteAt(message: Uint8Array, at: number): number {
  const byte = message[at];
  if (byte === undefined) throw new MalformedMessage("it ends in the middle of a name");
  return byte;
}
