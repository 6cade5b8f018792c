import { fromHex, utf8 } from "../lib/bytes.ts";
import { fastHkdf, fastHmac, MAX_FAST_KEY, MAX_FAST_MESSAGE } from "../lib/fast-hash.ts";
import { messageText } from "./message.ts";
import { checkSecret, nameKey } from "./name-key.ts";
import type { Recipe } from "./recipe.ts";
import type { Step } from "./steps.ts";
import type { CompiledUri } from "./template.ts";
import { derivative } from "./temporary-uri.ts";

/** A derivative as a string of one character per byte, which costs less than a Uint8Array. */
export type Derive = (key: Uint8Array, endpoint: string, step: Step) => string;

const toLatin1 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("latin1");

/** {@link derivative} for many devices: HMAC-SHA-256 by the fast path, everything else plainly. */
export function deriver(recipe: Recipe): Derive {
  const plain: Derive = (key, endpoint, step) => toLatin1(derivative(recipe, key, endpoint, step));
  if (recipe.function !== "hmac-sha-256") return plain;
  return (key, endpoint, step) => {
    const message = messageText(recipe, key, endpoint, step);
    return key.length <= MAX_FAST_KEY && message.length <= MAX_FAST_MESSAGE ? fastHmac(key, message) : plain(key, endpoint, step);
  };
}

/** {@link nameKey} for many devices. */
export function keyDeriver(recipe: Recipe): (secret: Uint8Array) => Uint8Array {
  const { info, salt = "", length = 0 } = recipe.nameKey ?? {};
  const saltBytes = fromHex(salt, "salt");
  if (info === undefined || length > 32 || saltBytes.length > MAX_FAST_KEY) return (secret) => nameKey(recipe, secret);
  const infoBytes = utf8(info);
  return (secret) => {
    if (secret.length > MAX_FAST_MESSAGE) return nameKey(recipe, secret);
    checkSecret(recipe, secret);
    return fastHkdf(secret, saltBytes, infoBytes).subarray(0, length);
  };
}

const BASE32_CODES = utf8("abcdefghijklmnopqrstuvwxyz234567");

export type WriteHost = (key: Uint8Array, endpoint: string, step: Step, out: Uint8Array, offset: number) => number;

/**
 * A writer of host names in which only the token varies, for tokens that are the first characters of base32; undefined
 * for other recipes. It makes no string, which is most of what is left to save once hashing is fast.
 */
export function base32HostWriter(recipe: Recipe, compiled: CompiledUri, derive: Derive): WriteHost | undefined {
  const { encoding, first = 0 } = recipe.token;
  if (encoding !== "base32" || first === 0 || compiled.checkEach) return undefined;
  const pieces = compiled.host.map((piece) => (typeof piece === "string" ? utf8(piece) : undefined));
  return (key, endpoint, step, out, offset) => {
    const bytes = derive(key, endpoint, step);
    let end = offset;
    for (const piece of pieces) {
      if (piece === undefined) {
        writeBase32(bytes, first, out, end);
        end += first;
      } else {
        for (let i = 0; i < piece.length; i += 1) out[end + i] = piece[i] ?? 0;
        end += piece.length;
      }
    }
    return end - offset;
  };
}

/** The first `count` base32 characters of a string of bytes; a last character that runs out of bits ends in zeros. */
function writeBase32(bytes: string, count: number, out: Uint8Array, offset: number): void {
  let bits = 0;
  let value = 0;
  let next = 0;
  for (let i = 0; i < count; i += 1) {
    if (bits < 5) {
      value = ((value << 8) | (next < bytes.length ? bytes.charCodeAt(next) : 0)) & 0xffff;
      next += 1;
      bits += 8;
    }
    bits -= 5;
    out[offset + i] = BASE32_CODES[(value >>> bits) & 31] ?? 0;
  }
}
