import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import fc from "fast-check";
import {
  ContentFormat,
  decodeContent,
  decodeDiscover,
  decodeSenmlPack,
  encodeContent,
  MalformedContent,
  type Path,
  parsePath,
  UnsupportedContentFormat,
} from "../../src/lwm2m/index.ts";

const FORMATS = Object.values(ContentFormat).filter((format) => format !== ContentFormat.linkFormat);
const PATHS: readonly Path[] = [[], [0], [0, 10], [1, 10], [2, 0, 2], [2, 0, 2, 101]];

/** Reads, and fails the test for anything but a value or the documented errors. */
function survives(read: () => unknown): void {
  try {
    read();
  } catch (error) {
    if (!(error instanceof MalformedContent) && !(error instanceof UnsupportedContentFormat)) throw error;
  }
}

test("random bytes are read or refused, in every format and at every level", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.constantFrom(...PATHS), (bytes, path) => {
      for (const format of FORMATS) survives(() => decodeContent(format, path, bytes));
      survives(() => decodeDiscover(bytes));
    }),
    { numRuns: 3000 },
  );
});

test("random text with the marks of JSON and link format is read or refused", () => {
  const text = fc.array(
    fc.constantFrom(
      ...'[]{}":,\\<>;=/0123.-eE tn',
      '"bn"',
      '"n"',
      '"v"',
      '"e"',
      '"sv"',
      '"/0/10/0"',
      "</0/1>",
      'uri="',
      "\u0000",
      "ü",
    ),
    { maxLength: 60 },
  );
  fc.assert(
    fc.property(text, (parts) => {
      const bytes = Buffer.from(parts.join(""), "utf8");
      survives(() => decodeContent(ContentFormat.senmlJson, [0], bytes));
      survives(() => decodeContent(ContentFormat.omaJson, [0], bytes));
      survives(() => decodeDiscover(bytes));
    }),
    { numRuns: 3000 },
  );
});

test("random CBOR heads are read or refused", () => {
  const heads = [
    0x00, 0x01, 0x18, 0x1b, 0x20, 0x40, 0x41, 0x5f, 0x60, 0x61, 0x7f, 0x80, 0x82, 0x83, 0x9f, 0xa0, 0xa1, 0xa2, 0xbf, 0xc0, 0xc1,
  ];
  const more = [0xc2, 0xc4, 0xd8, 0xf4, 0xf5, 0xf6, 0xf7, 0xf9, 0xfb, 0xff];
  const cbor = fc.array(fc.constantFrom(...heads, ...more), { maxLength: 40 });
  fc.assert(
    fc.property(cbor, fc.constantFrom(...PATHS), (parts, path) => {
      for (const format of [ContentFormat.senmlCbor, ContentFormat.lwm2mCbor, ContentFormat.cbor])
        survives(() => decodeContent(format, path, Uint8Array.from(parts)));
    }),
    { numRuns: 5000 },
  );
});

test("every truncation and every single changed byte of the vectors is read or refused", () => {
  const { content } = JSON.parse(readFileSync("vectors/lwm2m.json", "utf8")) as {
    content: { format: number; path: string; hex?: string; text?: string }[];
  };
  for (const { format, path, hex, text } of content) {
    const bytes = text === undefined ? Buffer.from(hex ?? "", "hex") : Buffer.from(text, "utf8");
    for (let at = 0; at < bytes.length; at += 1) {
      survives(() => decodeContent(format, parsePath(path), bytes.subarray(0, at)));
      for (const flip of [0x01, 0x80, 0xff]) {
        const changed = Buffer.from(bytes);
        changed[at] = (changed[at] ?? 0) ^ flip;
        survives(() => decodeContent(format, parsePath(path), changed));
      }
    }
  }
});

test("deep nesting and made-up sizes cost nothing", () => {
  const hostile: readonly [number, Uint8Array][] = [
    [ContentFormat.senmlJson, Buffer.from("[".repeat(500_000))],
    [ContentFormat.senmlJson, Buffer.from(`"${"a".repeat(4_000_000)}`)],
    [ContentFormat.senmlJson, Buffer.from(`["${"\\a".repeat(1_000_000)}`)],
    [ContentFormat.senmlJson, Buffer.from(`[{"n":"/0/0/1","v":${"9".repeat(1_000_000)}}]`)],
    [ContentFormat.senmlCbor, Buffer.alloc(500_000, 0x81)],
    [ContentFormat.senmlCbor, Buffer.alloc(500_000, 0x9f)],
    [ContentFormat.senmlCbor, Buffer.concat([Buffer.of(0x81), Buffer.alloc(500_000, 0xa1)])],
    [ContentFormat.senmlCbor, Buffer.concat([Buffer.of(0x81), Buffer.alloc(500_000, 0xd8)])],
    [ContentFormat.senmlCbor, Buffer.from("9affffffff", "hex")],
    [ContentFormat.senmlCbor, Buffer.from("81a100" + "7bffffffffffffffff", "hex")],
    [ContentFormat.senmlCbor, Buffer.alloc(500_000, 0xc1)],
    [ContentFormat.senmlCbor, Buffer.concat([Buffer.of(0x81, 0xa1, 0x00), Buffer.alloc(500_000, 0x7f)])],
    [ContentFormat.senmlCbor, Buffer.concat([Buffer.of(0x81, 0xa1, 0x00, 0x7f), Buffer.alloc(500_000, 0x60)])],
    [ContentFormat.lwm2mCbor, Buffer.alloc(500_000, 0xa1)],
    [ContentFormat.lwm2mCbor, Buffer.alloc(500_000, 0xbf)],
    [ContentFormat.lwm2mCbor, Buffer.concat([Buffer.of(0xa1), Buffer.alloc(500_000, 0x9f)])],
    [ContentFormat.lwm2mCbor, Buffer.concat([Buffer.of(0xa1, 0x9f), Buffer.alloc(500_000, 0x00)])],
    [ContentFormat.lwm2mCbor, Buffer.from("bb00000000ffffffff", "hex")],
    [ContentFormat.lwm2mCbor, Buffer.from("bbffffffffffffffff", "hex")],
    [ContentFormat.lwm2mCbor, Buffer.from("a19bffffffffffffffff", "hex")],
    [ContentFormat.lwm2mCbor, Buffer.from("a1830000005bffffffffffffffff", "hex")],
    [ContentFormat.lwm2mCbor, Buffer.from("a183000000c4821a7fffffff01", "hex")],
    [ContentFormat.omaJson, Buffer.from("[".repeat(500_000))],
    [ContentFormat.omaJson, Buffer.from(`{"e":${"[".repeat(500_000)}`)],
    [ContentFormat.omaJson, Buffer.from(`{"e":[{"n":"1","v":${"9".repeat(1_000_000)}}]}`)],
    [ContentFormat.tlv, Buffer.from("d800ffffff00", "hex")],
  ];
  const start = process.cpuUsage();
  for (const [format, bytes] of hostile) assert.throws(() => decodeContent(format, [0, 0], bytes), { code: "malformed-content" });
  for (const bytes of [Buffer.alloc(1_000_000, 0x39), Buffer.from(`0.${"0".repeat(1_000_000)}`)])
    assert.throws(() => decodeContent(ContentFormat.text, [1, 0, 1], bytes), { code: "malformed-content" });
  assert.ok(process.cpuUsage(start).user < 2_000_000);
});

test("a long base name is not multiplied by the records below it", () => {
  const pack = [{ bn: `/${"0".repeat(50_000)}`, n: "1", v: 1 }, ...Array.from({ length: 5000 }, (_, n) => ({ n: `${n}`, v: 1 }))];
  assert.throws(() => decodeContent(ContentFormat.senmlJson, [0], Buffer.from(JSON.stringify(pack))), {
    code: "malformed-content",
  });
});

const refuse = (format: number, path: Path, bytes: string, encoding: "hex" | "utf8"): void => {
  assert.throws(() => decodeContent(format, path, Buffer.from(bytes, encoding)), { code: "malformed-content" }, bytes);
};

test("TLV that means nothing at its path is refused", () => {
  for (const [path, hex] of [
    [[1], "c10001"], // a resource where instances stand
    [[1], "28ffff00"], // instance 65535
    [[1, 0], "0800 03 c10001".replaceAll(" ", "").replace("0800", "0801")], // the instance of another path
    [[1, 0], "410001"], // a resource instance by itself
    [[1, 0], "c10001c10002"], // twice the same
    [[1, 0], "c3000000ff"], // an integer of three bytes
    [[1, 0], "c10602"], // a boolean that is 2
    [[1, 0], "c107ff"], // not UTF-8
    [[1, 0], "c30a000000"], // a short object link
    [[1, 0, 7], "c10655"], // another resource than the path's
    [[2, 0, 2, 5], "410601"], // another resource instance
  ] as const) {
    refuse(ContentFormat.tlv, path, hex, "hex");
  }
});

test("SenML that means nothing at its path is refused", () => {
  for (const text of [
    "{}",
    "[1]",
    '[{"n":"/1/0/0","v":1},]',
    '[{"n":"/1/0/0","v":1}] x',
    '[{"n":"/1/0/0","v":01}]',
    '[{"n":"/1/0/0"}]', // no value
    '[{"n":"/1/0/0","v":1,"vs":"1"}]', // two
    '[{"n":"/1/0/0","vs":"1"}]', // a string for an integer
    '[{"n":"/1/0/0","v":1.5}]',
    '[{"n":"/1/0/13","v":-1}]', // unsigned
    '[{"n":"/1/0/0","v":9223372036854775808}]',
    '[{"n":"/1/1/0","v":1}]', // not below the path
    '[{"n":"/1/0","v":1}]', // no resource
    '[{"n":"1/0/0","v":1}]',
    '[{"n":"/1/0/0","v":1},{"n":"/1/0/0","v":1}]',
    '[{"n":"/1/0/0","v":1},{"n":"/1/0/0/0","v":1}]',
    '[{"n":"/1/0/0/0","v":1},{"n":"/1/0/0","v":1}]',
    '[{"n":"/1/0/24/0","vlo":"1:1"},{"n":"/1/0/24/0","vlo":"1:1"}]',
    '[{"n":"/1/0/0","n":"/1/0/1","v":1}]',
    '[{"n":"/1/0/0","v":1,"hash_":1}]', // must be understood
    '[{"n":"/1/0/0","v":1,"bv":1}]',
    '[{"n":"/1/0/0","v":1,"bver":11}]',
    '[{"n":"/1/0/0","v":1,"u":{"x":1}}]',
    '[{"n":"/1/0/10","vlo":"1:65536"}]',
    '[{"n":"/1/0/10","vlo":"1"}]',
    '[{"n":"/1/0/10","vs":"1:1"}]',
    '[{"n":"/1/0/99","vd":"a b"}]',
  ]) {
    refuse(ContentFormat.senmlJson, [1, 0], text, "utf8");
  }
  for (const hex of [
    "80ff",
    "81a2006600",
    "81a10061",
    "81a2000061",
    "81a300662f312f302f3002010201", // a field twice
    "81a300662f312f302f300201200b", // a later version
    "81a300662f312f302f3002012401", // a base value
    "81a300662f312f302f30020165686173685f01", // must be understood
    "81a200662f312f302f3003616101", // a record of two and a half fields
    "81a200662f312f302f30036131", // a text for an integer
    "81a200662f312f302f3002f6", // null
    "81a200662f312f302f30028101", // an array
    "81c1a0",
  ]) {
    refuse(ContentFormat.senmlCbor, [1, 0], hex, "hex");
  }
});

test("LwM2M JSON that means nothing at its path is refused", () => {
  for (const text of [
    "[]",
    '{"e":[1]}',
    '{"e":[{"n":"0"}]}', // no value
    '{"e":[{"n":"0","v":1,"sv":"1"}]}', // two
    '{"e":[{"n":"0","v":"1"}]}',
    '{"e":[{"n":0,"v":1}]}', // a name that is a number
    '{"e":[{"n":"0","sv":"1"}]}', // a string for an integer
    '{"e":[{"n":"0","v":1},{"n":"0","v":1}]}',
    '{"e":[{"n":"0","v":1}],"e":[]}',
    '{"bn":"/1/1/","e":[{"n":"0","v":1}]}', // not below the path
    '{"bn":"/1/","e":[{"n":"0","v":1}]}', // no resource
    '{"bn":1,"e":[]}',
    '{"bn":"/1/0/","e":[{"n":"10","ov":"1"}]}',
    '{"bn":"/1/0/","e":[{"n":"1","ov":"1:1"}]}',
    `{"bn":"/1/${"0".repeat(99)}/","e":[{"n":"0","v":1}]}`,
    '{"e":[]} x',
  ]) {
    refuse(ContentFormat.omaJson, [1, 0], text, "utf8");
  }
  refuse(ContentFormat.omaJson, [0, 0], '{"e":[{"n":"5","sv":"a b"}]}', "utf8"); // an opaque that is not base64
});

test("names of LwM2M JSON continue the path of the request, or have a base name", () => {
  for (const [path, text] of [
    [[1, 0], '{"e":[{"n":"0","v":7}]}'],
    [[1, 0, 0], '{"e":[{"n":"","v":7}]}'],
    [[1, 0, 0], '{"e":[{"v":7}],"bt":5}'],
    [[1, 0, 0], '{"bn":"/1/0/0","e":[{"v":7,"t":1}]}'],
    [[1], '{"e":[{"n":"0/0","v":7}],"bn":"/1/"}'],
    [[], '{"e":[{"n":"1/0/0","v":7}]}'],
  ] as const) {
    const [instance] = decodeContent(ContentFormat.omaJson, path, Buffer.from(text));
    assert.deepEqual(instance?.resources.get(0), { kind: "single", id: 0, value: { type: "integer", value: 7 } }, text);
  }
});

test("a resource no definition knows is kept: opaque in TLV, by its field in SenML", () => {
  const [tlv] = decodeContent(ContentFormat.tlv, [9999, 0], Buffer.from("c20501ff", "hex"));
  assert.deepEqual(tlv?.resources.get(5), { kind: "single", id: 5, value: { type: "opaque", value: Uint8Array.of(1, 255) } });
  const text =
    '[{"bn":"/9999/0/","n":"1","v":-5},{"n":"2","v":0.5},{"n":"3","vs":"a"},{"n":"4","vb":true},{"n":"5/1","vlo":"1:2"},{"n":"6","v":-0}]';
  const [senml] = decodeContent(ContentFormat.senmlJson, [9999, 0], Buffer.from(text));
  const types = [...(senml?.resources.values() ?? [])].map((resource) =>
    resource.kind === "single" ? resource.value.type : "multiple",
  );
  assert.deepEqual(types, ["integer", "float", "string", "boolean", "multiple", "float"]);
});

test("minus nought is nought for an integer, and itself for a float", () => {
  const [instance] = decodeContent(ContentFormat.senmlJson, [1, 0], Buffer.from('[{"bn":"/1/0/0","v":-0}]'));
  assert.deepEqual(instance?.resources.get(0), { kind: "single", id: 0, value: { type: "integer", value: 0 } });
  for (const format of [ContentFormat.senmlJson, ContentFormat.senmlCbor, ContentFormat.lwm2mCbor, ContentFormat.cbor]) {
    const value = { type: "float", value: -0 } as const;
    const float = { objectId: 9999, id: 0, resources: new Map([[0, { kind: "single", id: 0, value } as const]]) };
    const path = [9999, 0, 0];
    assert.deepEqual(decodeContent(format, path, encodeContent(format, path, [float])), [float]);
  }
});

test("records of base fields only say where the next ones stand", () => {
  const [instance] = decodeContent(
    ContentFormat.senmlJson,
    [1, 0],
    Buffer.from('[{"bn":"/1/0/"},{"n":"0","v":7,"u":"x","t":-5}]'),
  );
  assert.deepEqual(instance?.resources.get(0), { kind: "single", id: 0, value: { type: "integer", value: 7 } });
});

test("a format Berth does not read, or not there, has a code of its own", () => {
  for (const format of [0, 40, 42, 50, 60, 11543, 65535]) {
    if (format !== ContentFormat.omaJson)
      assert.throws(() => decodeContent(format, [1, 0], new Uint8Array()), { code: "unsupported-content-format" });
    assert.throws(() => encodeContent(format, [1, 0], []), { code: "unsupported-content-format" });
    assert.throws(() => decodeSenmlPack(format, new Uint8Array()), { code: "unsupported-content-format" });
  }
});

test("link format that is none is refused", () => {
  for (const text of [
    "x",
    "</0>,",
    "</0>;;x",
    "</0></1>",
    "</0",
    'lwm2m="1.0"</0>',
    '</0/0>;uri="coap',
    "</0/0>;ssid=abc",
    ",</0>",
  ]) {
    assert.throws(() => decodeDiscover(Buffer.from(text)), { code: "malformed-content" }, text);
  }
  assert.deepEqual(decodeDiscover(new Uint8Array()), { entries: [] });
});
