import assert from "node:assert/strict";
import { test } from "node:test";
import dnsPacket from "dns-packet";
import fc from "fast-check";
import { ipv4Bytes, ipv6Bytes, nameToWire, relativeLength } from "../../src/dns/index.ts";

const label = fc.stringMatching(/^[a-zA-Z0-9_-]{1,12}$/);
const host = fc.array(label, { minLength: 1, maxLength: 8 }).map((labels) => labels.join("."));

test("RFC 1035 3.1, RFC 4343: a name becomes labels with lengths in lower case, as dns-packet writes it", () => {
  fc.assert(
    fc.property(host, (name) => {
      const oracleBytes = dnsPacket.encode({ questions: [{ type: "A", name: name.toLowerCase() }] }).subarray(12, -4);
      assert.deepEqual([...nameToWire(name)], [...oracleBytes]);
    }),
  );
});

test("RFC 1035 2.3.4: labels have 1-63 bytes, names at most 255, and only printable characters", () => {
  const longest = `${"a".repeat(63)}.${"b".repeat(63)}.${"c".repeat(63)}.${"d".repeat(61)}`;
  assert.equal(nameToWire(longest).length, 255);
  for (const wrong of ["", ".", "a..b", ".a", "a.", "a".repeat(64), `${longest}d`, "a b", "ä.example", "a\u0001b"]) {
    assert.throws(() => nameToWire(wrong), { code: "invalid-input" }, JSON.stringify(wrong));
  }
});

test("RFC 1034 3.1: a name is in a zone only if labels begin where the zone's do", () => {
  const zone = nameToWire("bs.example.com");
  const relative = (name: string): number => relativeLength(nameToWire(name), nameToWire(name).length, zone);
  assert.equal(relative("bs.example.com"), 0);
  assert.equal(relative("x.bs.example.com"), 2);
  assert.equal(relative("xbs.example.com"), -1);
  assert.equal(relative("example.com"), -1);
  assert.equal(relative("bs.example.org"), -1);
  // A zone of 48 characters: its length byte is the character "0".
  const long = "z".repeat(48);
  const inside = nameToWire(`a0${long}.example`);
  assert.equal(relativeLength(inside, inside.length, nameToWire(`${long}.example`)), -1);
});

test("RFC 1035 3.4.1: an IPv4 address becomes the bytes that dns-packet writes", () => {
  fc.assert(
    fc.property(fc.ipV4(), (text) => {
      assert.deepEqual(
        [...ipv4Bytes(text)],
        [...dnsPacket.encode({ answers: [{ type: "A", name: ".", data: text }] }).subarray(23)],
      );
    }),
  );
});

test("RFC 4291 2.2: an IPv6 address in any form is the one that URL takes it for", () => {
  const canonical = (text: string): string => new URL(`http://[${text}]`).hostname;
  fc.assert(
    fc.property(fc.ipV6(), (text) => {
      const groups = Array.from({ length: 8 }, (_, index) =>
        Buffer.from(ipv6Bytes(text))
          .readUInt16BE(index * 2)
          .toString(16),
      );
      assert.equal(canonical(groups.join(":")), canonical(text));
    }),
  );
  assert.deepEqual([...ipv6Bytes("::ffff:192.0.2.1")], [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 1]);
});

test("what is no address is refused", () => {
  for (const wrong of ["", "1.2.3", "1.2.3.4.5", "256.1.1.1", "1.2.3.04", "1.2.3.-4", "a.b.c.d", "1.2.3.4 "]) {
    assert.throws(() => ipv4Bytes(wrong), { code: "invalid-input" }, wrong);
  }
  const wrongs = [
    "",
    ":",
    ":::",
    "1::2::3",
    "1:2:3:4:5:6:7",
    "1:2:3:4:5:6:7:8:9",
    "1:2:3:4:5:6:7::8",
    "12345::",
    "g::",
    "fe80::1%lo",
  ];
  for (const wrong of [...wrongs, "1.2.3.4::", "1.2.3.4:1::", "::1.2.3.4:1", "::1.2.3", ":1", "1:", "::1:"]) {
    assert.throws(() => ipv6Bytes(wrong), { code: "invalid-input" }, wrong);
  }
});
