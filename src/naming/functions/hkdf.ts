import { hkdfSync } from "node:crypto";
import { fromHex } from "../../lib/bytes.ts";
import type { KeyedFunction } from "./function.ts";

/** The longest output of HKDF-SHA-256: 255 blocks (RFC 5869 section 2.3). */
export const HKDF_MAX_LENGTH: number = 255 * 32;

/** HKDF-SHA-256 (RFC 5869): the secret is the input keying material, the parameters are the info. */
export const HKDF_SHA_256: KeyedFunction = {
  kind: "keyed",
  name: "hkdf-sha-256",
  options: ["salt", "length"],
  outputLength: ({ length = 32 }) => length,
  derive: (key, message, { salt = "", length = 32 }) =>
    new Uint8Array(hkdfSync("sha256", key, fromHex(salt, "salt"), message, length)),
};
