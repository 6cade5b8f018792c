import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  buildUpdate,
  ErrorAnswer,
  type NameChange,
  nameToWire,
  type ResourceRecord,
  rcodeName,
  readMessage,
  textData,
  type UpdateOptions,
  UpdateWriter,
} from "../../src/dns/index.ts";
import { hex, labels } from "./wire.ts";

const zone = nameToWire("bs.example.com");
const options: UpdateOptions = { id: 0x1234, zone, ttl: 30 };
const APEX = new Uint8Array(0);
const NONE = { ipv4: undefined, ipv6: undefined };
const four = Uint8Array.of(192, 0, 2, 1);
const six = hex("20010db8000000000000000000000001");

/** A record as `name type class ttl data`. */
const said = ({ name, type, class: rrClass, ttl, data }: ResourceRecord): string =>
  [
    Buffer.from(name.subarray(0, -zone.length)).toString("latin1").slice(1),
    type,
    rrClass,
    ttl,
    Buffer.from(data).toString("hex"),
  ].join(" ");
const updates = (change: NameChange): string[] =>
  readMessage(buildUpdate({ ...options, changes: [change] })).authorities.map(said);

test("RFC 2136 2: an update, byte by byte: zone section, names as label and pointer", () => {
  const name = labels("dev1");
  const message = buildUpdate({ ...options, changes: [{ name, ipv4: four, ipv6: undefined, held: { ...NONE, ipv4: four } }] });
  assert.deepEqual(
    message,
    Uint8Array.from(
      Buffer.concat([
        hex("1234 2800 0001 0000 0002 0000"),
        zone,
        hex("0006 0001"),
        hex("04 64657631 c00c | 0001 00ff 00000000 0000"),
        hex("c020 | 0001 0001 0000001e 0004 c0000201"),
      ]),
    ),
  );
});

test("RFC 2136 2.5.2: of a name that is not known, both A and AAAA are deleted, and nothing else of it", () => {
  const name = labels("x");
  assert.deepEqual(updates({ name, ...NONE }), ["x 1 255 0 ", "x 28 255 0 "]);
  assert.deepEqual(updates({ name, ipv4: four, ipv6: undefined }), ["x 1 255 0 ", "x 28 255 0 ", "x 1 1 30 c0000201"]);
  assert.deepEqual(updates({ name, ipv4: four, ipv6: six }), [
    "x 1 255 0 ",
    "x 28 255 0 ",
    "x 1 1 30 c0000201",
    `x 28 1 30 ${Buffer.from(six).toString("hex")}`,
  ]);
});

test("RFC 2136 2.5.2: of a name that is known, what is not there is not deleted, what is to be there is", () => {
  const name = labels("x");
  const ipv4 = Uint8Array.of(192, 0, 2, 9);
  assert.deepEqual(updates({ name, ...NONE, held: { ipv4, ipv6: undefined } }), ["x 1 255 0 "]);
  assert.deepEqual(updates({ name, ipv4: four, ipv6: undefined, held: NONE }), ["x 1 255 0 ", "x 1 1 30 c0000201"]);
  assert.deepEqual(updates({ name, ipv4: four, ipv6: undefined, held: { ...NONE, ipv6: six } }), [
    "x 1 255 0 ",
    "x 28 255 0 ",
    "x 1 1 30 c0000201",
  ]);
  assert.deepEqual(updates({ name, ...NONE, held: NONE }), []);
});

test("RFC 2136 2.4: prerequisites of each kind", () => {
  const name = labels("x");
  const message = buildUpdate({
    ...options,
    prerequisites: [
      { is: "records", name: APEX, type: 16, data: [textData("berth"), textData("two")] },
      { is: "rrset", name, type: 1 },
      { is: "no-rrset", name, type: 28 },
      { is: "name", name },
      { is: "no-name", name },
    ],
    changes: [],
  });
  const { answers, authorities } = readMessage(message);
  assert.deepEqual(answers.map(said), [
    " 16 1 0 056265727468",
    " 16 1 0 0374776f",
    "x 1 255 0 ",
    "x 28 254 0 ",
    "x 255 255 0 ",
    "x 255 254 0 ",
  ]);
  assert.deepEqual(answers[0]?.name, zone);
  assert.deepEqual(authorities, []);
});

test("RFC 2136 2.5.1, 2.5.4: single records come and go at the zone's own name, before the addresses", () => {
  const message = buildUpdate({
    ...options,
    records: [
      { does: "delete", name: APEX, type: 16, data: textData("term 1"), ttl: 60 },
      { does: "add", name: APEX, type: 16, data: textData("term 2"), ttl: 60 },
    ],
    changes: [{ name: labels("x"), ipv4: four, ipv6: undefined, held: NONE }],
  });
  assert.deepEqual(readMessage(message).authorities.map(said), [
    " 16 254 0 067465726d2031",
    " 16 1 60 067465726d2032",
    "x 1 255 0 ",
    "x 1 1 30 c0000201",
  ]);
});

test("a message takes what fits, says when it is full, and leaves room for the largest signature", () => {
  const writer = new UpdateWriter(options);
  let count = 0;
  for (;;) {
    const name = labels(String(count).padStart(13, "0"));
    if (!writer.add({ name, ipv4: four, ipv6: undefined, held: { ...NONE, ipv4: four } })) break;
    count++;
  }
  const message = writer.finish();
  assert.equal(writer.names, count);
  assert.equal(readMessage(message).authorities.length, 2 * count);
  assert.ok(message.length > 60_000 && message.length <= 0xffff - 400, `${message.length} bytes`);
  assert.ok(count > 1100, `${count} names of 13 characters`);
  const changes = Array.from({ length: 2000 }, () => ({ name: labels("x"), ipv4: four, ipv6: six }));
  assert.throws(() => buildUpdate({ ...options, changes }), { code: "internal" });
});

test("the new address of a name of 13 characters takes less than 50 bytes in messages of 350 names", () => {
  const changes = Array.from({ length: 350 }, (_none, index) => ({
    name: labels(String(index).padStart(13, "0")),
    ipv4: four,
    ipv6: undefined,
    held: { ...NONE, ipv4: six },
  }));
  const size = buildUpdate({ ...options, changes }).length - buildUpdate({ ...options, changes: [] }).length;
  assert.ok(size / 350 < 50, `${size / 350} bytes`);
});

test("RFC 2136 2.5: whatever the changes, they are read in their order, whole, beyond where pointers reach too", () => {
  const label = fc.stringMatching(/^[a-z0-9]{1,63}$/);
  const name = fc.array(label, { minLength: 1, maxLength: 3 }).map((parts) => labels(...parts));
  const ipv4 = fc.option(fc.uint8Array({ minLength: 4, maxLength: 4 }), { nil: undefined });
  const ipv6 = fc.option(fc.uint8Array({ minLength: 16, maxLength: 16 }), { nil: undefined });
  const change = fc.record({ name, ipv4, ipv6 });
  fc.assert(
    fc.property(fc.array(change, { minLength: 100, maxLength: 160, size: "max" }), (changes) => {
      const { authorities } = readMessage(buildUpdate({ ...options, changes }));
      const wanted = changes.flatMap((each) => [
        [each.name, 1, 255, ""],
        [each.name, 28, 255, ""],
        ...(each.ipv4 === undefined ? [] : [[each.name, 1, 1, Buffer.from(each.ipv4).toString("hex")]]),
        ...(each.ipv6 === undefined ? [] : [[each.name, 28, 1, Buffer.from(each.ipv6).toString("hex")]]),
      ]);
      const got = authorities.map((each) => [
        each.name.slice(0, -zone.length),
        each.type,
        each.class,
        Buffer.from(each.data).toString("hex"),
      ]);
      assert.deepEqual(got, wanted);
    }),
    { numRuns: 20 },
  );
});

test("RFC 2136 2.2: response codes have their names, and errors by them", () => {
  assert.deepEqual([6, 7, 8, 9, 10].map(rcodeName), ["YXDOMAIN", "YXRRSET", "NXRRSET", "NOTAUTH", "NOTZONE"]);
  assert.equal(rcodeName(23), "RCODE23");
  const error = new ErrorAnswer(8, "update");
  assert.deepEqual([error.code, error.rcode, error.message], ["nxrrset", 8, "update: the server answers NXRRSET"]);
});
