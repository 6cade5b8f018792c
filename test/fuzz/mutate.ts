import type { Random } from "../../src/lib/random.ts";

/** Bytes at which parsers of lengths and counts break. */
const EDGES = [0x00, 0x01, 0x0d, 0x0e, 0x0f, 0x7f, 0x80, 0xc0, 0xfe, 0xff];

/** A whole number below `limit`. */
export function pick(random: Random, limit: number): number {
  return Math.floor(random.uniform() * limit);
}

/** One of several. */
export function oneOf<T>(random: Random, from: readonly T[]): T {
  const one = from[pick(random, from.length)];
  if (one === undefined) throw new Error("nothing to choose from");
  return one;
}

/** Random bytes, or a message of the corpus that is truncated, changed in a few places, grown, or joined with another. */
export function hostile(random: Random, corpus: readonly Uint8Array[]): Uint8Array {
  const message = Buffer.from(oneOf(random, corpus));
  switch (pick(random, 8)) {
    case 0:
      return random.bytes(pick(random, 200));
    case 1:
      return message.subarray(0, pick(random, message.length));
    case 2:
      return Buffer.concat([message, random.bytes(pick(random, 64))]);
    case 3: {
      const other = oneOf(random, corpus);
      return Buffer.concat([message.subarray(0, pick(random, message.length)), other.subarray(pick(random, other.length))]);
    }
    case 4: {
      const at = pick(random, message.length);
      return Buffer.concat([message.subarray(0, at), random.bytes(pick(random, 16)), message.subarray(at)]);
    }
    default:
      return garbled(random, message);
  }
}

/** A message with a few bytes changed. */
export function garbled(random: Random, message: Uint8Array): Uint8Array {
  const bytes = Uint8Array.from(message);
  for (let changes = 1 + pick(random, 4); changes > 0 && bytes.length > 0; changes--) {
    const at = pick(random, bytes.length);
    bytes[at] = random.uniform() < 0.5 ? oneOf(random, EDGES) : (bytes[at] ?? 0) ^ (1 << pick(random, 8));
  }
  return bytes;
}

/** Values that programs trip over. */
const VALUES: readonly unknown[] = [
  null,
  true,
  0,
  -1,
  1e308,
  2 ** 53,
  "",
  "\u0000",
  "\ud800",
  "x".repeat(70_000),
  "../../etc/passwd",
  "__proto__",
  "{endpoint}",
  "ff".repeat(40),
  [],
  {},
  [[[[[[[[]]]]]]]],
  { __proto__: null, constructor: 1 },
];

/** A JSON value with something exchanged, doubled, renamed or missing, somewhere. */
export function twisted(random: Random, value: unknown): unknown {
  if (typeof value !== "object" || value === null || random.uniform() < 0.15) return oneOf(random, VALUES);
  const entries = Object.entries(value);
  const at = pick(random, entries.length);
  const changed = entries.flatMap(([key, inner], index): [string, unknown][] => {
    if (index !== at) return [[key, inner]];
    const way = random.uniform();
    if (way < 0.15) return [];
    if (way < 0.3) return [[`${key}x`, inner]];
    return [[key, twisted(random, inner)]];
  });
  return Array.isArray(value) ? changed.map(([, inner]) => inner) : Object.fromEntries(changed);
}
