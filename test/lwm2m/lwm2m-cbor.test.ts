import assert from "node:assert/strict";
import { test } from "node:test";
import { decode, encode } from "cborg";
import fc from "fast-check";
import {
  ContentFormat,
  decodeContent,
  encodeContent,
  multiple,
  type ObjectInstance,
  objectInstance,
  type Path,
  type Resource,
  single,
} from "../../src/lwm2m/index.ts";

const FORMAT = ContentFormat.lwm2mCbor;

function refuse(path: Path, hex: string): void {
  assert.throws(
    () => decodeContent(FORMAT, path, Buffer.from(hex.replaceAll(" ", ""), "hex")),
    { code: "malformed-content" },
    hex,
  );
}

/** Values by their paths, of a decoded payload: what section 7.4.4 says keys mean, and nothing of how Berth reads it. */
function flatten(value: unknown, above: readonly number[] = []): [string, unknown][] {
  if (!(value instanceof Map)) return [[above.join("/"), value]];
  return [...value].flatMap(([key, below]) => flatten(below, [...above, ...(Array.isArray(key) ? key : [key])]));
}

const id = fc.oneof(fc.constantFrom(0, 1, 23, 24, 255, 256, 65534), fc.integer({ min: 0, max: 65534 }));
/** Of objects nobody defines, so that the type is that of the CBOR. */
const object = fc.integer({ min: 30000, max: 30002 });
const leaf = fc.tuple(object, id, id, fc.option(id, { nil: undefined }), fc.integer());
const leaves = fc
  .uniqueArray(leaf, { maxLength: 8, selector: ([o, i, r]) => `${o}/${i}/${r}` })
  .map((all) => all.sort(([a, b], [c, d]) => a - c || b - d));

function toInstances(all: readonly (readonly [number, number, number, number | undefined, number])[]): ObjectInstance[] {
  const instances = new Map<string, { objectId: number; at: number; resources: Resource[] }>();
  for (const [objectId, at, resource, instance, value] of all) {
    const key = `${objectId}/${at}`;
    const known = instances.get(key) ?? { objectId, at, resources: [] };
    instances.set(key, known);
    const data = { type: "integer", value } as const;
    known.resources.push(instance === undefined ? single(resource, data) : multiple(resource, [[instance, data]]));
  }
  return [...instances.values()].map(({ objectId, at, resources }) => objectInstance(objectId, at, resources));
}

const names = (all: readonly (readonly [number, number, number, number | undefined, number])[]): [string, number][] =>
  all.map(([objectId, at, resource, instance, value]) => {
    return [[objectId, at, resource, ...(instance === undefined ? [] : [instance])].join("/"), value];
  });

test("a generic reader of CBOR finds every value under its path", () => {
  fc.assert(
    fc.property(leaves, (all) => {
      const generic = flatten(decode(encodeContent(FORMAT, [], toInstances(all)), { useMaps: true }));
      assert.deepEqual(generic, names(all));
    }),
  );
});

/** A head of CBOR: major type and number. */
function head(major: number, value: number): Buffer {
  const bytes = Buffer.from(encode(value));
  bytes[0] = (bytes[0] ?? 0) | (major << 5);
  return bytes;
}

type Layout = { readonly array: boolean; readonly indefinite: boolean; readonly split: number };

/** Writes one value under `path` in one of the many ways the format allows: keys cut anywhere, as arrays or not, lengths definite or not. */
function entry(path: readonly number[], value: number, layouts: readonly Layout[]): Buffer {
  const [layout = { array: true, indefinite: false, split: 4 }, ...rest] = layouts;
  const own = path.slice(0, layout.split);
  const below = path.slice(layout.split);
  const ids = own.map((one) => head(0, one));
  const open = layout.indefinite ? Buffer.of(0x9f) : head(4, own.length);
  const key =
    own.length === 1 && !layout.array
      ? Buffer.concat(ids)
      : Buffer.concat([open, ...ids, Buffer.of(...(layout.indefinite ? [0xff] : []))]);
  if (below.length === 0) return Buffer.concat([key, encode(value)]);
  const inner = entry(below, value, rest);
  return Buffer.concat(layout.indefinite ? [key, Buffer.of(0xbf), inner, Buffer.of(0xff)] : [key, Buffer.of(0xa1), inner]);
}

test("every layout of keys and lengths is read alike (Core 1.2.2, 7.5.4.1: the array and the nested form are both valid)", () => {
  const layout = fc.record({ array: fc.boolean(), indefinite: fc.boolean(), split: fc.integer({ min: 1, max: 4 }) });
  const one = fc.uniqueArray(leaf, { maxLength: 1, minLength: 1 }).map(([only]) => only);
  fc.assert(
    fc.property(one, fc.array(layout, { minLength: 4, maxLength: 4 }), (only, layouts) => {
      if (only === undefined) return;
      const [[name, value] = ["", 0]] = names([only]);
      const payload = Buffer.concat([Buffer.of(0xbf), entry(name.split("/").map(Number), value, layouts), Buffer.of(0xff)]);
      assert.deepEqual(decodeContent(FORMAT, [], payload), toInstances([only]));
    }),
  );
});

test("a payload may take an instance up again where it left it", () => {
  const payload = Buffer.from("a3 820100 a1 00 01  830101 00 02  830100 01 03".replaceAll(" ", ""), "hex");
  const value = (number: number): { type: "integer"; value: number } => ({ type: "integer", value: number });
  assert.deepEqual(decodeContent(FORMAT, [1], payload), [
    objectInstance(1, 0, [single(0, value(1)), single(1, value(3))]),
    objectInstance(1, 1, [single(0, value(2))]),
  ]);
});

test("integers of 64 bits are kept to the last digit", () => {
  for (const [type, value, hex] of [
    ["integer", -(2n ** 63n), "3b7fffffffffffffff"],
    ["integer", 2n ** 63n - 1n, "1b7fffffffffffffff"],
    ["unsigned", 2n ** 64n - 1n, "1bffffffffffffffff"],
    ["integer", 2 ** 53 - 1, "1b001fffffffffffff"],
  ] as const) {
    const one = objectInstance(30000, 0, [single(0, { type, value })]);
    const payload = encodeContent(FORMAT, [30000, 0, 0], [one]);
    assert.equal(Buffer.from(payload).toString("hex"), `a1831975300000${hex}`);
    assert.deepEqual(decodeContent(FORMAT, [30000, 0, 0], payload), [one]);
  }
});

test("floats are written with 64 bits, also whole numbers: old decoders know no others", () => {
  const hex = (value: number): string =>
    Buffer.from(encodeContent(FORMAT, [30000, 0, 0], [objectInstance(30000, 0, [single(0, { type: "float", value })])])).toString(
      "hex",
    );
  assert.equal(hex(0.5), "a1831975300000fb3fe0000000000000");
  assert.equal(hex(1), "a1831975300000fb3ff0000000000000");
  assert.equal(hex(-0), "a1831975300000fb8000000000000000");
});

test("payloads that mean nothing are refused", () => {
  for (const hex of [
    "",
    "00",
    "80",
    "a1", // no key
    "a101", // no value
    "a1 820100 a1 00 01 00", // something follows
    "a1 01 02", // a value for an object
    "a1 8201 00 02", // and for an instance
    "a1 80 a1 830100 00 01", // an empty key
    "a1 85 0100000000 01", // five ids
    "a1 840100 0200 a1 00 01", // and in nested maps
    "a1 8301 00 1a00010000 01", // 65536
    "a1 8201 19ffff a1 00 01", // instance 65535
    "a1 8301 00 20 01", // a negative id
    "a1 8301 00 f93c00 01", // 1.0
    "a1 6131 a1 00 a1 00 01", // a text, as gateways have for other devices
    "a1 830100 f4 01",
    "a1 820100 a2 00 01 00 01", // twice the same key
    "a2 01 a1 00 a1 00 01 01 a1 00 a1 01 01", // with different things below
    "a1 8401000000 a0", // a map below a resource instance
    "a2 830100 00 01 8201 00 a1 00 a0", // one value and several, though none
    "a2 83010019 0063 a1 00 01 84010019 0063 00 02", // the same resource instance in two ways
    "a2 830100 00 01 820100 a1 00 01", // and by another way
    "a2 830100 00 01 840100 0000 01", // one value and several
    "a1 830100 00 a1 a0 01", // a map as a key
    "a1 830100 00 81 01", // an array as a value
    "a1 830100 00 f6", // null
    "a1 830100 00 f7", // undefined
    "a1 830100 00 6131", // a text for an integer
    "a1 830100 00 fb3ff8000000000000", // 1.5
    "a1 830100 0d 20", // unsigned
    "a1 830100 00 1b8000000000000000",
    "a1 830100 00 c24101", // a bignum
    "a1 830100 06 01", // an integer for a boolean
    "a1 830100 07 61ff", // not UTF-8
    "a1 830100 07 7f 4161 ff", // a chunk of another type
    "a1 830100 07 7f 7f 6161 ff ff", // chunks of chunks
    "a1 830100 07 7f 6161", // no end
    "a1 830100 0a 63313a32 00",
    "a1 830100 0a 67313a3635353336", // link to 1:65536
    "a1 830100 0c 6a323032362d30312d3031", // a date without a time
    "a1 830101 00 01", // another instance
    "ff",
    "a1 ff",
    "bf 820100",
  ]) {
    refuse([1, 0], hex);
  }
});

test("an empty payload is an instance without resources, or no instances", () => {
  for (const hex of ["a0", "bfff", "a1820100a0", "a101a100a0"]) {
    assert.deepEqual(decodeContent(FORMAT, [1, 0], Buffer.from(hex, "hex")), [objectInstance(1, 0, [])], hex);
  }
  for (const hex of ["a0", "a101a0"]) assert.deepEqual(decodeContent(FORMAT, [1], Buffer.from(hex, "hex")), [], hex);
});
