import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { nextSerial, serialIsNewer } from "../../src/dns/index.ts";

const serial = fc.nat(0xffff_ffff);

test("RFC 1982 3.2: newer is what comes within 2^31 - 1 steps, over the end of the circle too", () => {
  for (const [a, b] of [
    [1, 0],
    [44, 0],
    [100, 44],
    [0, 0xffff_ffff],
    [0x7fff_ffff, 0],
    [0x8000_0001, 0x7000_0000],
    [5, 0xffff_fff0],
  ] as const) {
    assert.ok(serialIsNewer(a, b), `${a} > ${b}`);
    assert.ok(!serialIsNewer(b, a), `${b} < ${a}`);
  }
});

test("RFC 1982 3.2: no serial is newer than itself, nor than the one across the circle", () => {
  fc.assert(
    fc.property(serial, (a) => {
      assert.ok(!serialIsNewer(a, a));
      assert.ok(!serialIsNewer((a + 0x8000_0000) >>> 0, a));
      assert.ok(!serialIsNewer(a, (a + 0x8000_0000) >>> 0));
    }),
  );
});

test("RFC 1982 3.1, RFC 2136 7.11: the next serial is newer, 32 bits and never 0", () => {
  assert.equal(nextSerial(0xffff_ffff), 1);
  fc.assert(
    fc.property(serial, (a) => {
      const next = nextSerial(a);
      assert.ok(serialIsNewer(next, a) && next > 0 && next <= 0xffff_ffff);
    }),
  );
});
