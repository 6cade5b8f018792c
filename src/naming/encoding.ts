import { toBase32, toHex } from "../lib/bytes.ts";

/** How the derivative is written before characters are taken from it (N4). */
export type TokenEncoding = "hex" | "base32" | "decimal" | "base64url";

/** Bits one character carries; decimal digits carry a fraction and are counted apart. */
export const BITS_PER_CHARACTER: Readonly<Record<Exclude<TokenEncoding, "decimal">, number>> = {
  hex: 4,
  base32: 5,
  base64url: 6,
};

/** Characters of `byteLength` bytes in this encoding, always the same number. */
export function encodedLength(encoding: TokenEncoding, byteLength: number): number {
  if (encoding === "decimal") return String(256n ** BigInt(byteLength) - 1n).length;
  return Math.ceil((byteLength * 8) / BITS_PER_CHARACTER[encoding]);
}

/**
 * The text of a derivative: hex and base32 in lower case, base32 and base64url (RFC 4648) without padding; decimal
 * reads the bytes as one big-endian integer and fills up with zeros on the left to {@link encodedLength} digits.
 */
export function encode(encoding: TokenEncoding, bytes: Uint8Array): string {
  switch (encoding) {
    case "hex":
      return toHex(bytes);
    case "base32":
      return toBase32(bytes);
    case "base64url":
      return Buffer.from(bytes).toString("base64url");
    case "decimal":
      return BigInt(`0x0${toHex(bytes)}`)
        .toString()
        .padStart(encodedLength("decimal", bytes.byteLength), "0");
  }
}
