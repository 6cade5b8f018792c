import assert from "node:assert/strict";
import { test } from "node:test";
import { Chaskey } from "../../src/dns/index.ts";

/** Key and tags of Nicky Mouha's reference implementation of Chaskey-12 (chaskey12.c): the message is 0, 1, 2, ... */
const KEY = [0x833d3433, 0x009f389f, 0x2398e64f, 0x417acf39];
const TAGS: readonly (readonly [length: number, tag: readonly number[]])[] = [
  [0, [0x43cb1f41, 0x51eba0c2, 0xff0a8ac3, 0x7ee3f642]],
  [1, [0xf9ac2067, 0x9c35a846, 0x441aad3d, 0x777b7330]],
  [15, [0x03cfb44b, 0x283c8163, 0xfca71448, 0xc40a0aea]],
  [16, [0x5dd0e2a9, 0xfb5eac8c, 0x633a392e, 0x500c36f3]],
  [17, [0x8b5f6d5a, 0x202314f6, 0x22092368, 0x9639e606]],
  [32, [0x77962784, 0x07c647fa, 0xdd752c0f, 0xd2f5a799]],
  [33, [0xd74bb867, 0x2c0dfb3a, 0xb697e9cd, 0x5658edda]],
  [63, [0x2dd072e1, 0x42b89efe, 0xfb26b615, 0x049aa451]],
];

function littleEndian(words: readonly number[]): Uint8Array {
  const bytes = new DataView(new ArrayBuffer(words.length * 4));
  for (const [index, word] of words.entries()) bytes.setUint32(index * 4, word, true);
  return new Uint8Array(bytes.buffer);
}

test("ISO/IEC 29192-6: Chaskey-12 gives the reference tags, wherever the message stands in its array", () => {
  const chaskey = new Chaskey(littleEndian(KEY));
  for (const [length, tag] of TAGS) {
    for (const offset of [0, 3]) {
      const bytes = Uint8Array.from({ length: 80 }, (_, index) => (index < offset ? 0xee : index - offset));
      chaskey.hash(bytes, offset, length);
      assert.deepEqual(
        [chaskey.h0, chaskey.h1, chaskey.h2, chaskey.h3].map((word) => word >>> 0),
        tag,
        `${length} bytes at ${offset}`,
      );
    }
  }
});

test("a key of another length than 16 bytes is refused", () => {
  assert.throws(() => new Chaskey(new Uint8Array(15)), { code: "invalid-input" });
});
