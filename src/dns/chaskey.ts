import { InvalidInput } from "../lib/errors.ts";

const ROUNDS = 12;

/**
 * Chaskey-12 (ISO/IEC 29192-6): a keyed 128-bit hash made of 32-bit additions, rotations and exclusive-ors, which is
 * what JavaScript computes without big numbers. Keyed, so that nobody outside can choose names that fall into one
 * place of the table. The result stands in `h0`-`h3` until the next call: no object per hash.
 */
export class Chaskey {
  h0 = 0;
  h1 = 0;
  h2 = 0;
  h3 = 0;
  /** The key, and the two keys made from it: for a last block that is full, and for one that is padded. */
  readonly #key: Int32Array;

  /**
   * @param key 16 secret bytes
   * @throws InvalidInput for another length
   */
  constructor(key: Uint8Array) {
    if (key.byteLength !== 16) throw new InvalidInput(`the key of the name hash has 16 bytes, got ${key.byteLength}`);
    const view = new DataView(key.buffer, key.byteOffset, 16);
    const words = [0, 4, 8, 12].map((at) => view.getInt32(at, true));
    const full = timesTwo(words);
    this.#key = Int32Array.from([...words, ...full, ...timesTwo(full)]);
  }

  /** Hashes `bytes[offset]` to `bytes[offset + length - 1]`, words little-endian as the specification says. */
  hash(bytes: Uint8Array, offset: number, length: number): void {
    const key = this.#key;
    let v0 = key[0] as number;
    let v1 = key[1] as number;
    let v2 = key[2] as number;
    let v3 = key[3] as number;
    const end = offset + length;
    let at = offset;
    for (;;) {
      const last = end - at <= 16;
      const whole = end - at >= 16;
      v0 ^= whole ? word(bytes, at) : partWord(bytes, at, end);
      v1 ^= whole ? word(bytes, at + 4) : partWord(bytes, at + 4, end);
      v2 ^= whole ? word(bytes, at + 8) : partWord(bytes, at + 8, end);
      v3 ^= whole ? word(bytes, at + 12) : partWord(bytes, at + 12, end);
      const finish = whole ? 4 : 8;
      if (last) {
        v0 ^= key[finish] as number;
        v1 ^= key[finish + 1] as number;
        v2 ^= key[finish + 2] as number;
        v3 ^= key[finish + 3] as number;
      }
      for (let round = 0; round < ROUNDS; round++) {
        v0 = (v0 + v1) | 0;
        v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
        v0 = (v0 << 16) | (v0 >>> 16);
        v2 = (v2 + v3) | 0;
        v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
        v0 = (v0 + v3) | 0;
        v3 = ((v3 << 13) | (v3 >>> 19)) ^ v0;
        v2 = (v2 + v1) | 0;
        v1 = ((v1 << 7) | (v1 >>> 25)) ^ v2;
        v2 = (v2 << 16) | (v2 >>> 16);
      }
      if (last) {
        this.h0 = v0 ^ (key[finish] as number);
        this.h1 = v1 ^ (key[finish + 1] as number);
        this.h2 = v2 ^ (key[finish + 2] as number);
        this.h3 = v3 ^ (key[finish + 3] as number);
        return;
      }
      at += 16;
    }
  }
}

function word(bytes: Uint8Array, at: number): number {
  return (
    (bytes[at] as number) |
    ((bytes[at + 1] as number) << 8) |
    ((bytes[at + 2] as number) << 16) |
    ((bytes[at + 3] as number) << 24)
  );
}

/** Four bytes of a last block that is not full: one 0x01 behind the message, then zeros. */
function partWord(bytes: Uint8Array, at: number, end: number): number {
  let value = 0;
  for (let index = 0; index < 4; index++) {
    const place = at + index;
    value |= (place < end ? (bytes[place] as number) : place === end ? 1 : 0) << (8 * index);
  }
  return value;
}

/** Multiplies by x in GF(2^128), least significant word first. */
function timesTwo(words: readonly number[]): number[] {
  const [a = 0, b = 0, c = 0, d = 0] = words;
  return [(a << 1) ^ ((d >> 31) & 0x87), (b << 1) | (a >>> 31), (c << 1) | (b >>> 31), (d << 1) | (c >>> 31)];
}
