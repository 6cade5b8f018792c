import { hash } from "node:crypto";
import type { HashFunction } from "./function.ts";

/** SHA-256 cut to its first `bits` bits: the suites of RFC 6920 section 9.4. */
function suite(name: string, bits: number): HashFunction {
  return {
    kind: "hash",
    name,
    options: [],
    outputLength: () => bits / 8,
    derive: (input) => new Uint8Array(hash("sha256", input, "buffer").subarray(0, bits / 8)),
  };
}

/** `sha-256` is both SHA-256 as is and the untruncated suite of RFC 6920; the others keep the leftmost bits. */
export const SHA_256_FUNCTIONS: readonly HashFunction[] = [
  suite("sha-256", 256),
  ...[128, 120, 96, 64, 32].map((bits) => suite(`sha-256-${bits}`, bits)),
];
