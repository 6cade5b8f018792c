import { hash } from "node:crypto";

/*
 * HMAC-SHA-256 and HKDF-SHA-256 for many short messages. `hash()` in one call with its result as a binary string is several
 * times as fast as the objects of `createHmac`, as no native object is made per call, and the scratch is reused. A property test holds it
 * to what node computes plainly.
 */
const BLOCK = 64;
const DIGEST = 32;
const MAX_INPUT = 2048;

const inner = Buffer.alloc(BLOCK + MAX_INPUT);
const outer = Buffer.alloc(BLOCK + DIGEST);
/** `inner` cut to each length, made when first asked for: making a view costs as much as hashing a block. */
const views: Uint8Array[] = [];

/** The longest message, in bytes or in UTF-16 units (a unit is at most three bytes of UTF-8), that fits the scratch. */
export const MAX_FAST_MESSAGE: number = Math.floor(MAX_INPUT / 3);
/** The longest key: one block, beyond which HMAC hashes the key first (RFC 2104 section 2). */
export const MAX_FAST_KEY: number = BLOCK;

function innerView(length: number): Uint8Array {
  let view = views[length];
  if (view === undefined) {
    view = inner.subarray(0, length);
    views[length] = view;
  }
  return view;
}

function writeMessage(message: string | Uint8Array): number {
  if (typeof message === "string") return inner.write(message, BLOCK, "utf8");
  inner.set(message, BLOCK);
  return message.byteLength;
}

/** HMAC-SHA-256, a string's UTF-8 being its bytes, as a string of 32 characters of one byte each. */
export function fastHmac(key: Uint8Array, message: string | Uint8Array): string {
  const length = key.length;
  for (let i = 0; i < length; i += 1) {
    const byte = key[i] ?? 0;
    inner[i] = byte ^ 0x36;
    outer[i] = byte ^ 0x5c;
  }
  inner.fill(0x36, length, BLOCK);
  outer.fill(0x5c, length, BLOCK);
  const end = BLOCK + writeMessage(message);
  outer.write(hash("sha256", innerView(end), "binary"), BLOCK, "latin1");
  return hash("sha256", outer, "binary");
}

/** One block of HKDF-SHA-256 (RFC 5869 section 2): 32 bytes of output; `salt` of no bytes stands for zeros, as HMAC pads both. */
export function fastHkdf(secret: Uint8Array, salt: Uint8Array, info: Uint8Array): Uint8Array {
  const pseudoRandomKey = Buffer.from(fastHmac(salt, secret), "latin1");
  const block = new Uint8Array(info.byteLength + 1);
  block.set(info);
  block[info.byteLength] = 1;
  return new Uint8Array(Buffer.from(fastHmac(pseudoRandomKey, block), "latin1"));
}
