import { timingSafeEqual } from "node:crypto";
import { InvalidInput } from "./errors.ts";

const BASE32 = "abcdefghijklmnopqrstuvwxyz234567";

/** Lower-case hexadecimal text of `bytes`. */
export function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("hex");
}

/**
 * Bytes of hexadecimal text, either case, even length. The value itself is never part of the error, as it is
 * most often a secret.
 * @throws InvalidInput naming `what`
 */
export function fromHex(text: string, what = "value"): Uint8Array {
  if (text.length % 2 !== 0) throw new InvalidInput(`${what}: hex needs an even number of digits, got ${text.length}`);
  if (!/^[0-9a-fA-F]*$/.test(text)) throw new InvalidInput(`${what}: only the hex digits 0-9 and a-f are allowed`);
  return new Uint8Array(Buffer.from(text, "hex"));
}

/** Base32 of RFC 4648 section 6, lower case and without padding. */
export function toBase32(bytes: Uint8Array): string {
  let text = "";
  let bits = 0;
  let value = 0;
  for (const byte of bytes) {
    value = ((value << 8) | byte) & 0xffff;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      text += BASE32[(value >>> bits) & 31];
    }
  }
  if (bits > 0) text += BASE32[(value << (5 - bits)) & 31];
  return text;
}

/** UTF-8 bytes of `text`. */
export function utf8(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, "utf8"));
}

/** Whether both hold the same bytes, in time that depends only on the lengths. */
export function equalInConstantTime(a: Uint8Array, b: Uint8Array): boolean {
  return a.byteLength === b.byteLength && timingSafeEqual(a, b);
}
