import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  ContentFormat,
  decodeContent,
  encodeContent,
  multiple,
  objectInstance,
  type ResourceType,
  type ResourceValue,
  single,
} from "../../src/lwm2m/index.ts";
import { definitions } from "./support.ts";

const TYPES = ["string", "integer", "unsigned", "float", "boolean", "opaque", "time", "objlnk"] as const;
const KNOWN = definitions({ 9999: Object.fromEntries(TYPES.map((type, id) => [id, type])) });
const path = (type: ResourceType): number[] => [9999, 0, TYPES.indexOf(type)];

function readText(type: ResourceType, text: string | Uint8Array): ResourceValue["value"] | undefined {
  const [instance] = decodeContent(ContentFormat.text, path(type), Buffer.from(text), KNOWN);
  const resource = instance?.resources.get(TYPES.indexOf(type));
  assert.equal(resource?.kind === "single" ? resource.value.type : undefined, type);
  return resource?.kind === "single" ? resource.value.value : undefined;
}

test("text of every type is read (LwM2M Core 1.2.2, table C-2)", () => {
  for (const [type, text, value] of [
    ["string", "", ""],
    ["string", "äöü 1", "äöü 1"],
    ["integer", "-9223372036854775808", -(2n ** 63n)],
    ["unsigned", "18446744073709551615", 2n ** 64n - 1n],
    ["time", "1476186613", 1476186613],
    ["float", "3.0", 3],
    ["float", "-1", -1],
    ["float", "1.5E-3", 0.0015],
    ["boolean", "0", false],
    ["boolean", "1", true],
    ["opaque", "", new Uint8Array()],
    ["objlnk", "65535:65535", { objectId: 65535, instanceId: 65535 }],
  ] as const) {
    assert.deepEqual(readText(type, text), value, text);
  }
});

test("text that is not of the type is refused", () => {
  for (const [type, text] of [
    ["string", Uint8Array.of(0xff)],
    ["integer", ""],
    ["integer", "1.5"],
    ["integer", " 1"],
    ["integer", "0x10"],
    ["integer", "9223372036854775808"],
    ["unsigned", "-1"],
    ["unsigned", "18446744073709551616"],
    ["time", "2020-01-01T00:00:00Z"],
    ["float", ""],
    ["float", "NaN"],
    ["float", "Infinity"],
    ["float", "1,5"],
    ["float", ".5"],
    ["boolean", "true"],
    ["boolean", "2"],
    ["opaque", "a-_"],
    ["objlnk", "1"],
    ["objlnk", "65536:0"],
  ] as const) {
    assert.throws(() => readText(type, text), { code: "malformed-content" }, `${type} ${text}`);
  }
});

test("floats in text have all their digits and no exponent, as in OMA's example", () => {
  const text = (value: number): string =>
    Buffer.from(
      encodeContent(ContentFormat.text, path("float"), [objectInstance(9999, 0, [single(3, { type: "float", value })])]),
    ).toString();
  assert.equal(text(6.667e-11), "0.00000000006667");
  assert.equal(text(-1.5e-7), "-0.00000015");
  assert.equal(text(1e21), "1000000000000000000000");
  assert.equal(text(1.25e22), "12500000000000000000000");
  assert.equal(text(-0), "-0");
  fc.assert(
    fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
      assert.match(text(value), /^-?\d+(\.\d+)?$/);
      assert.ok(Object.is(Number(text(value)), value));
    }),
  );
});

test("CBOR of one value: one item, plain, of the type", () => {
  const refuse = (type: ResourceType, hex: string): void =>
    assert.throws(
      () => decodeContent(ContentFormat.cbor, path(type), Buffer.from(hex, "hex"), KNOWN),
      { code: "malformed-content" },
      hex,
    );
  for (const [type, hex] of [
    ["integer", ""],
    ["integer", "0000"],
    ["integer", "80"],
    ["integer", "a0"],
    ["integer", "f6"],
    ["integer", "6131"],
    ["string", "01"],
    ["boolean", "01"],
    ["opaque", "6161"],
    ["opaque", "c24101"], // a bignum
    ["integer", "c074323032302d30312d30315430303a30303a30305a"], // a date
    ["time", "6161"],
    ["time", "c06161"],
    ["float", "c4820102ff"],
    ["float", "c4830102"],
    ["float", "c48101"],
    ["float", "c483010203"],
    ["float", "c40a"],
    ["objlnk", "01"],
  ] as const) {
    refuse(type, hex);
  }
});

test("times in CBOR are seconds, or dates, which are cut to the second", () => {
  const date = (text: string): Uint8Array => Buffer.concat([Buffer.of(0xc0, 0x78, text.length), Buffer.from(text)]);
  for (const [payload, seconds] of [
    [Buffer.from("1a5182428f", "hex"), 1367491215],
    [Buffer.from("fb41d46090a3c00000", "hex"), 1367491215],
    [date("2013-05-02T10:40:15Z"), 1367491215],
    [date("2013-05-02T12:40:15.75+02:00"), 1367491215],
    [date("1969-12-31T23:59:58.5-00:00"), -2],
  ] as const) {
    const [instance] = decodeContent(ContentFormat.cbor, path("time"), payload, KNOWN);
    assert.deepEqual(instance?.resources.get(TYPES.indexOf("time")), single(6, { type: "time", value: seconds }));
  }
});

test("decimal fractions are numbers", () => {
  for (const [hex, value] of [
    ["c482211907d9", 20.09],
    ["c482203903e7", -100],
    ["c4821903e801", Number.POSITIVE_INFINITY],
    ["c4823903e701", 0],
    ["d9ffffc4820101", 10],
  ] as const) {
    const [instance] = decodeContent(ContentFormat.cbor, path("float"), Buffer.from(hex, "hex"), KNOWN);
    assert.deepEqual(instance?.resources.get(3), single(3, { type: "float", value }), hex);
  }
});

test("only a resource with one value, or a resource instance, is one value", () => {
  const value = { type: "integer", value: 1 } as const;
  const several = objectInstance(9999, 0, [multiple(1, [[0, value]])]);
  const other = objectInstance(9999, 0, [single(2, value)]);
  for (const format of [ContentFormat.text, ContentFormat.cbor]) {
    for (const at of [[], [9999], [9999, 0]])
      assert.throws(() => encodeContent(format, at, [other]), {
        code: "unsupported-content-format",
        message: `content format ${format} is not supported for /${at.join("/")}`,
      });
    for (const [at, instances] of [
      [[9999, 0, 1], [several]],
      [[9999, 0, 1], [other]],
      [[9999, 0, 1], []],
      [
        [9999, 0, 2],
        [other, other],
      ],
      [[9999, 0, 1, 1], [several]],
      [[9999, 0, 2, 0], [other]],
    ] as const) {
      assert.throws(() => encodeContent(format, at, instances), { code: "unencodable-value" }, String(at));
    }
  }
});

test("opaque is for opaque resources, and for those nobody defines", () => {
  const bytes = Uint8Array.of(1, 2);
  const read = (id: number): unknown => decodeContent(ContentFormat.opaque, [9999, 0, id], bytes, KNOWN);
  for (const id of [TYPES.indexOf("opaque"), 99])
    assert.deepEqual(read(id), [objectInstance(9999, 0, [single(id, { type: "opaque", value: bytes })])]);
  assert.throws(() => read(TYPES.indexOf("string")), { code: "unsupported-content-format" });
});
