import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  ContentFormat,
  decodeContent,
  encodeContent,
  isPackFormat,
  multiple,
  type ObjectDefinitions,
  objectInstance,
  type Path,
  type Resource,
  type ResourceDefinition,
  type ResourceType,
  type ResourceValue,
  single,
  toInteger,
} from "../../src/lwm2m/index.ts";

const FORMATS = [ContentFormat.tlv, ContentFormat.senmlJson, ContentFormat.senmlCbor, ContentFormat.lwm2mCbor];
const TYPES: readonly ResourceType[] = ["string", "integer", "unsigned", "float", "boolean", "opaque", "time", "objlnk"];

/** A resource's type follows from its id, so that any ids make a definition. */
const typeOf = (resourceId: number): ResourceType => TYPES[resourceId % TYPES.length] ?? "opaque";
const resources = new Map<number, ResourceDefinition>();
for (let id = 0; id <= 65535; id += 1)
  resources.set(id, { id, name: `Resource ${id}`, multiple: false, mandatory: false, type: typeOf(id) });
const OBJECT = 3;
const OBJECTS = [0, OBJECT, 255, 256, 65535];
const EVERYTHING = { name: "Everything", version: "1.0", lwm2mVersion: "1.0", multiple: true, resources };
const DEFINITIONS: ObjectDefinitions = new Map(OBJECTS.map((objectId) => [objectId, { id: objectId, ...EVERYTHING }]));

const integer = (min: bigint, max: bigint): fc.Arbitrary<number | bigint> => {
  const edges = [0n, 127n, 128n, 255n, 256n, 32767n, 32768n, 65536n, 2n ** 31n, 2n ** 32n, 2n ** 53n, 2n ** 63n, min, max];
  const inside = edges.flatMap((edge) => [edge, -edge - 1n, -edge]).filter((edge) => edge >= min && edge <= max);
  return fc.oneof(fc.constantFrom(...inside), fc.bigInt(min, max)).map(toInteger);
};
const int64 = integer(-(2n ** 63n), 2n ** 63n - 1n);
/** Lengths around those where TLV's length field grows. */
const size = fc.oneof(fc.integer({ min: 0, max: 9 }), fc.constantFrom(255, 256, 65535, 65536));
const VALUES: Readonly<Record<ResourceType, fc.Arbitrary<ResourceValue["value"]>>> = {
  string: fc.oneof(
    fc.string({ unit: "grapheme" }),
    size.map((length) => "x".repeat(length)),
  ),
  integer: int64,
  unsigned: integer(0n, 2n ** 64n - 1n),
  float: fc.double({ noNaN: true, noDefaultInfinity: true }),
  boolean: fc.boolean(),
  opaque: fc.oneof(
    fc.uint8Array(),
    size.map((length) => new Uint8Array(length).fill(7)),
  ),
  time: int64,
  objlnk: fc
    .tuple(fc.integer({ min: 0, max: 65535 }), fc.integer({ min: 0, max: 65535 }))
    .map(([objectId, instanceId]) => ({ objectId, instanceId })),
};
const value = (type: ResourceType): fc.Arbitrary<ResourceValue> =>
  VALUES[type].map((one) => ({ type, value: one }) as ResourceValue);

/** Ids of one byte and of two. */
const id = fc.oneof(fc.integer({ min: 0, max: 255 }), fc.integer({ min: 256, max: 65534 }), fc.constantFrom(0, 255, 256, 65535));
const instanceId = id.filter((one) => one < 65535);
const resource: fc.Arbitrary<Resource> = id.chain((resourceId) =>
  fc.oneof(
    value(typeOf(resourceId)).map((one): Resource => single(resourceId, one)),
    fc
      .uniqueArray(fc.tuple(id, value(typeOf(resourceId))), { minLength: 1, maxLength: 4, selector: ([at]) => at })
      .map((all) => multiple(resourceId, all)),
  ),
);
const someResources = fc.uniqueArray(resource, { minLength: 1, maxLength: 6, selector: (one) => one.id });

for (const format of FORMATS) {
  test(`format ${format}: what is written at any level is read back the same`, () => {
    fc.assert(
      fc.property(instanceId, someResources, fc.integer({ min: 1, max: 4 }), (at, all, level) => {
        const [first] = all;
        const whole = objectInstance(OBJECT, at, level > 2 && first !== undefined ? [first] : all);
        const path: Path = [OBJECT, at, first?.id ?? 0].slice(0, Math.min(level, 3));
        assert.deepEqual(decodeContent(format, path, encodeContent(format, path, [whole]), DEFINITIONS), [whole]);
        if (level === 4 && first?.kind === "multiple") {
          const [[instance, only]] = [...first.instances] as [[number, ResourceValue]];
          const part = objectInstance(OBJECT, at, [multiple(first.id, [[instance, only]])]);
          const full = [...path, instance];
          assert.deepEqual(decodeContent(format, full, encodeContent(format, full, [part]), DEFINITIONS), [part]);
        }
      }),
    );
  });

  test(`format ${format}: several instances of an object`, () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.tuple(instanceId, someResources), { maxLength: 4, selector: ([at]) => at }), (all) => {
        const instances = all.map(([at, parts]) => objectInstance(OBJECT, at, parts));
        assert.deepEqual(decodeContent(format, [OBJECT], encodeContent(format, [OBJECT], instances), DEFINITIONS), instances);
      }),
      { numRuns: 50 },
    );
  });

  if (isPackFormat(format)) {
    test(`format ${format}: instances of several objects, at the root`, () => {
      const at = fc.tuple(fc.constantFrom(...OBJECTS), instanceId, someResources);
      fc.assert(
        fc.property(fc.uniqueArray(at, { maxLength: 5, selector: ([objectId, one]) => `${objectId}/${one}` }), (all) => {
          all.sort(([a], [b]) => a - b);
          const instances = all.map(([objectId, one, parts]) => objectInstance(objectId, one, parts));
          assert.deepEqual(decodeContent(format, [], encodeContent(format, [], instances), DEFINITIONS), instances);
        }),
        { numRuns: 50 },
      );
    });
  } else {
    test(`format ${format}: cannot hold several objects`, () => {
      assert.throws(() => encodeContent(format, [], []), { code: "unsupported-content-format" });
      assert.throws(() => decodeContent(format, [], new Uint8Array()), { code: "unsupported-content-format" });
    });
  }

  test(`format ${format}: an instance without resources`, () => {
    const empty = objectInstance(OBJECT, 7, []);
    assert.deepEqual(decodeContent(format, [OBJECT, 7], encodeContent(format, [OBJECT, 7], [empty])), [empty]);
  });

  test(`format ${format}: integers that do not fit 64 bits are not written`, () => {
    for (const wrong of [
      { type: "integer", value: 2n ** 63n },
      { type: "integer", value: 1.5 },
      { type: "unsigned", value: -1 },
      { type: "unsigned", value: 2n ** 64n },
      { type: "time", value: Number.NaN },
    ] as const) {
      assert.throws(() => encodeContent(format, [OBJECT, 0], [objectInstance(OBJECT, 0, [single(1, wrong)])]), {
        code: "unencodable-value",
      });
    }
  });
}

for (const format of [ContentFormat.tlv, ContentFormat.lwm2mCbor]) {
  test(`format ${format}: a multiple resource without instances, and instances without resources`, () => {
    const some = [objectInstance(OBJECT, 0, [multiple(1, [])]), objectInstance(OBJECT, 256, [])];
    assert.deepEqual(decodeContent(format, [OBJECT], encodeContent(format, [OBJECT], some), DEFINITIONS), some);
  });
}

for (const format of [ContentFormat.text, ContentFormat.opaque, ContentFormat.cbor]) {
  test(`format ${format}: one value of a resource or a resource instance`, () => {
    fc.assert(
      fc.property(instanceId, resource, (at, one) => {
        const [first] = one.kind === "multiple" ? one.instances : [];
        const part = first === undefined ? one : multiple(one.id, [first]);
        const path = [OBJECT, at, one.id, ...(first === undefined ? [] : [first[0]])];
        const instance = objectInstance(OBJECT, at, [part]);
        const write = (): Uint8Array => encodeContent(format, path, [instance]);
        if (format === ContentFormat.opaque && typeOf(one.id) !== "opaque")
          assert.throws(write, { code: "unsupported-content-format" });
        else assert.deepEqual(decodeContent(format, path, write(), DEFINITIONS), [instance]);
      }),
    );
  });
}

test("floats that JSON has no digits for survive in TLV and CBOR, and are refused in JSON and text", () => {
  for (const number of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
    const one = objectInstance(OBJECT, 0, [single(3, { type: "float", value: number })]);
    const tlv = encodeContent(ContentFormat.tlv, [OBJECT, 0], [one]);
    assert.deepEqual(decodeContent(ContentFormat.tlv, [OBJECT, 0], tlv, DEFINITIONS), [one]);
    const cbor = encodeContent(ContentFormat.senmlCbor, [OBJECT, 0], [one]);
    assert.deepEqual(decodeContent(ContentFormat.senmlCbor, [OBJECT, 0], cbor, DEFINITIONS), [one]);
    const packed = encodeContent(ContentFormat.lwm2mCbor, [OBJECT, 0], [one]);
    assert.deepEqual(decodeContent(ContentFormat.lwm2mCbor, [OBJECT, 0], packed, DEFINITIONS), [one]);
    assert.throws(() => encodeContent(ContentFormat.senmlJson, [OBJECT, 0], [one]), { code: "unencodable-value" });
    assert.throws(() => encodeContent(ContentFormat.text, [OBJECT, 0, 3], [one]), { code: "unencodable-value" });
  }
});

test("TLV integers take the fewest of 1, 2, 4 and 8 bytes; unsigned ones are the same to a reader of signed ones", () => {
  const bytes = (type: "integer" | "unsigned", number: number | bigint): string => {
    const one = objectInstance(OBJECT, 0, [single(1, { type, value: number })]);
    return Buffer.from(encodeContent(ContentFormat.tlv, [OBJECT, 0], [one])).toString("hex");
  };
  assert.equal(bytes("integer", 127), "c1017f");
  assert.equal(bytes("integer", -128), "c10180");
  assert.equal(bytes("integer", 128), "c2010080");
  assert.equal(bytes("integer", -32769), "c401ffff7fff");
  assert.equal(bytes("integer", 2 ** 31), "c801080000000080000000");
  assert.equal(bytes("unsigned", 200), "c20100c8");
  assert.equal(bytes("unsigned", 2n ** 64n - 1n), "c80108ffffffffffffffff");
});
