import { InvalidInput } from "../lib/errors.ts";

const KEY_LENGTH = 16;
/** Rounds for each 8 bytes of the message, and at the end. */
const FINAL_ROUNDS = 4;
const BLOCK_ROUNDS = 2;

/**
 * SipHash-2-4 (Aumasson, Bernstein 2012), the keyed hash of server cookies (RFC 9018 section 4.4). Of each 64-bit number
 * the halves are computed one by one, as JavaScript's numbers are too short; nothing is allocated.
 */
export class SipHash {
  readonly #key: Int32Array;

  /** @throws InvalidInput for a key that has not 16 bytes */
  constructor(key: Uint8Array) {
    if (key.byteLength !== KEY_LENGTH) throw new InvalidInput(`a SipHash key has 16 bytes, got ${key.byteLength}`);
    this.#key = Int32Array.from([0, 4, 8, 12], (at) => word(key, at, KEY_LENGTH));
  }

  /** Writes the hash of `bytes[0]` to `bytes[length - 1]`, 8 bytes with the least significant first, at `out[at]`. */
  hash(bytes: Uint8Array, length: number, out: Uint8Array, at: number): void {
    const [k0 = 0, k0h = 0, k1 = 0, k1h = 0] = this.#key;
    let [v0, v0h] = [k0 ^ 0x70736575, k0h ^ 0x736f6d65];
    let [v1, v1h] = [k1 ^ 0x6e646f6d, k1h ^ 0x646f7261];
    let [v2, v2h] = [k0 ^ 0x6e657261, k0h ^ 0x6c796765];
    let [v3, v3h] = [k1 ^ 0x79746573, k1h ^ 0x74656462];
    // The last block holds what is left and, in its highest byte, the length; behind it come the final rounds.
    const blocks = (length >> 3) + 1;
    for (let block = 0; block <= blocks; block++) {
      const final = block === blocks;
      const low = final ? 0 : word(bytes, block * 8, length);
      const high = final ? 0 : word(bytes, block * 8 + 4, length) | (block === blocks - 1 ? length << 24 : 0);
      if (final) v2 ^= 0xff;
      v3 ^= low;
      v3h ^= high;
      for (let round = final ? FINAL_ROUNDS : BLOCK_ROUNDS; round > 0; round--) {
        let sum = (v0 + v1) | 0;
        v0h = (v0h + v1h + (sum >>> 0 < v1 >>> 0 ? 1 : 0)) | 0;
        v0 = sum;
        let turned = (v1 << 13) | (v1h >>> 19);
        v1h = ((v1h << 13) | (v1 >>> 19)) ^ v0h;
        v1 = turned ^ v0;
        turned = v0;
        v0 = v0h;
        v0h = turned;

        sum = (v2 + v3) | 0;
        v2h = (v2h + v3h + (sum >>> 0 < v3 >>> 0 ? 1 : 0)) | 0;
        v2 = sum;
        turned = (v3 << 16) | (v3h >>> 16);
        v3h = ((v3h << 16) | (v3 >>> 16)) ^ v2h;
        v3 = turned ^ v2;

        sum = (v0 + v3) | 0;
        v0h = (v0h + v3h + (sum >>> 0 < v3 >>> 0 ? 1 : 0)) | 0;
        v0 = sum;
        turned = (v3 << 21) | (v3h >>> 11);
        v3h = ((v3h << 21) | (v3 >>> 11)) ^ v0h;
        v3 = turned ^ v0;

        sum = (v2 + v1) | 0;
        v2h = (v2h + v1h + (sum >>> 0 < v1 >>> 0 ? 1 : 0)) | 0;
        v2 = sum;
        turned = (v1 << 17) | (v1h >>> 15);
        v1h = ((v1h << 17) | (v1 >>> 15)) ^ v2h;
        v1 = turned ^ v2;
        turned = v2;
        v2 = v2h;
        v2h = turned;
      }
      v0 ^= low;
      v0h ^= high;
    }
    const [hash, hashHigh] = [v0 ^ v1 ^ v2 ^ v3, v0h ^ v1h ^ v2h ^ v3h];
    for (let index = 0; index < 4; index++) {
      out[at + index] = hash >>> (8 * index);
      out[at + 4 + index] = hashHigh >>> (8 * index);
    }
  }
}

/** Four bytes, the least significant first; zeros from `end` on. */
function word(bytes: Uint8Array, at: number, end: number): number {
  let value = 0;
  for (let index = 0; index < 4 && at + index < end; index++) value |= (bytes[at + index] as number) << (8 * index);
  return value;
}
