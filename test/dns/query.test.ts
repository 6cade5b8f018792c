import assert from "node:assert/strict";
import { test } from "node:test";
import dnsPacket from "dns-packet";
import fc from "fast-check";
import { nameToWire, Query } from "../../src/dns/index.ts";

const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text.replaceAll(/[^0-9a-f]/g, ""), "hex"));
const kindOf = (message: Uint8Array): string => new Query().read(message);

/** One row: the section, the bytes (header, question, the rest) and what they are. */
const VECTORS: readonly (readonly [title: string, message: string, kind: string])[] = [
  ["RFC 1035 4.1.1: a query for A of a.b", "1234 0100 0001 0000 0000 0000 | 0161 0162 00 0001 0001", "query"],
  ["RFC 1035 4.1.1: shorter than a header", "1234 0100 0001 0000 0000 00", "none"],
  ["RFC 1035 4.1.1: nothing", "", "none"],
  ["RFC 1035 4.1.1: a response", "1234 8100 0001 0000 0000 0000 | 0161 0162 00 0001 0001", "none"],
  ["RFC 2136 2.2: an update", "1234 2800 0001 0000 0000 0000 | 0161 0162 00 0006 0001", "not-implemented"],
  ["RFC 1996 3.7: a notify", "1234 2000 0001 0000 0000 0000 | 0161 0162 00 0006 0001", "not-implemented"],
  ["RFC 9619: no question", "1234 0100 0000 0000 0000 0000", "malformed"],
  ["RFC 9619: two questions", "1234 0100 0002 0000 0000 0000 | 0161 00 0001 0001 0162 00 0001 0001", "malformed"],
  ["RFC 1035 4.1.2: the name ends in the middle of a label", "1234 0100 0001 0000 0000 0000 | 0361 62", "malformed"],
  ["RFC 1035 4.1.2: the type is cut off", "1234 0100 0001 0000 0000 0000 | 0161 00 0001 00", "malformed"],
  ["RFC 1035 4.1.4: a question that points at itself", "1234 0100 0001 0000 0000 0000 | c00c 0001 0001", "malformed"],
  ["RFC 6891 5: a label of the extended kind", "1234 0100 0001 0000 0000 0000 | 4161 00 0001 0001", "malformed"],
  ["RFC 1035 4.1: bytes behind the end", "1234 0100 0001 0000 0000 0000 | 0161 00 0001 0001 00", "malformed"],
  ["RFC 1035 4.1.1: counts that lie", "1234 0100 0001 ffff ffff ffff | 0161 00 0001 0001", "malformed"],
  ["RFC 6891 6.1.2: with OPT", "1234 0100 0001 0000 0000 0001 | 0161 00 0001 0001 | 00 0029 1000 00000000 0000", "query"],
  [
    "RFC 6891 6.1.1: OPT of another name than the root",
    "1234 0100 0001 0000 0000 0001 | 0161 00 0001 0001 | 0161 00 0029 1000 00000000 0000",
    "malformed",
  ],
  [
    "RFC 6891 6.1.1: two OPT",
    "1234 0100 0001 0000 0000 0002 | 0161 00 0001 0001 | 00 0029 1000 00000000 0000 | 00 0029 1000 00000000 0000",
    "malformed",
  ],
  [
    "RFC 6891 6.1.1: OPT in the answer section",
    "1234 0100 0001 0001 0000 0000 | 0161 00 0001 0001 | 00 0029 1000 00000000 0000",
    "malformed",
  ],
  [
    "RFC 6891 6.1.2: OPT longer than the message",
    "1234 0100 0001 0000 0000 0001 | 0161 00 0001 0001 | 00 0029 1000 00000000 0004 0000",
    "malformed",
  ],
  [
    "RFC 1035 4.1.3: another record, its name compressed",
    "1234 0100 0001 0000 0001 0000 | 0161 00 0001 0001 | c00c 0006 0001 00000000 0000",
    "query",
  ],
];

for (const [title, message, kind] of VECTORS) {
  test(`${title}: ${kind}`, () => assert.equal(kindOf(hex(message)), kind));
}

test("RFC 1035 2.3.4: a name of 255 bytes is read, one of 256 is malformed", () => {
  const labels = (last: number): string =>
    `3f${"61".repeat(63)}`.repeat(3) + Buffer.from([last]).toString("hex") + "62".repeat(last);
  const message = (last: number): Uint8Array => hex(`1234 0100 0001 0000 0000 0000${labels(last)}00 0001 0001`);
  const query = new Query();
  assert.equal(query.read(message(61)), "query");
  assert.equal(query.nameLength, 255);
  assert.equal(query.read(message(62)), "malformed");
});

const label = fc.stringMatching(/^[a-zA-Z0-9_-]{1,20}$/);
const question = fc.record({
  name: fc.array(label, { minLength: 1, maxLength: 6 }).map((labels) => labels.join(".")),
  type: fc.constantFrom("A" as const, "AAAA" as const, "NS" as const, "SOA" as const, "TXT" as const),
  id: fc.nat(0xffff),
  edns: fc.option(
    fc.record({ udpPayloadSize: fc.integer({ min: 1, max: 0xffff }), ednsVersion: fc.nat(255), dnssec: fc.boolean() }),
    {
      nil: undefined,
    },
  ),
});
const TYPES = { A: 1, NS: 2, SOA: 6, TXT: 16, AAAA: 28 };

test("RFC 1035 4.1.2, RFC 6891 6.1: whatever query dns-packet writes is read as it was meant", () => {
  const query = new Query();
  fc.assert(
    fc.property(question, ({ name, type, id, edns }) => {
      const opt =
        edns === undefined
          ? []
          : [
              {
                type: "OPT" as const,
                name: "." as const,
                options: [],
                extendedRcode: 0,
                flags: edns.dnssec ? 0x8000 : 0,
                flag_do: edns.dnssec,
                udpPayloadSize: edns.udpPayloadSize,
                ednsVersion: edns.ednsVersion,
              },
            ];
      assert.equal(query.read(dnsPacket.encode({ type: "query", id, questions: [{ type, name }], additionals: opt })), "query");
      assert.deepEqual(query.name.subarray(0, query.nameLength), nameToWire(name));
      assert.deepEqual([query.type, query.class, query.edns], [TYPES[type], 1, edns !== undefined]);
      if (edns === undefined) return assert.equal(query.udpSize, 512);
      assert.deepEqual([query.ednsVersion, query.dnssecOk], [edns.ednsVersion, edns.dnssec]);
      assert.equal(query.udpSize, Math.min(1232, Math.max(512, edns.udpPayloadSize)));
    }),
  );
});

test("every beginning of a query, and every query with a byte changed, is read without a fault", () => {
  const query = new Query();
  const whole = hex(VECTORS.at(-1)?.[1] ?? "");
  for (let length = 0; length < whole.length; length++) assert.notEqual(query.read(whole.subarray(0, length)), "query");
  fc.assert(
    fc.property(fc.nat(whole.length - 1), fc.nat(255), (at, value) => {
      const changed = Uint8Array.from(whole);
      changed[at] = value;
      assert.match(query.read(changed), /^(none|malformed|not-implemented|query)$/);
      assert.ok(query.nameLength <= 255);
    }),
    { numRuns: 2000 },
  );
});
