import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { equalInConstantTime, fromHex, toHex } from "../../src/lib/bytes.ts";
import { formatDuration, parseDuration } from "../../src/lib/duration.ts";
import { errorText, InvalidInput } from "../../src/lib/errors.ts";
import { seededRandom } from "../../src/lib/random.ts";

test("durations: what is formatted reads back the same", () => {
  fc.assert(fc.property(fc.nat(1e12), (span) => assert.equal(parseDuration(formatDuration(span)), span)));
  assert.equal(formatDuration(90_000), "90s");
  assert.equal(formatDuration(3_600_000), "1h");
});

test("durations: what is none is refused with the value", () => {
  for (const text of ["", "5", "5 minutes", "-5m", "m", "1h30m"])
    assert.throws(() => parseDuration(text, "dns.ttl"), /^InvalidInput: dns\.ttl: "/);
});

test("hex: round trip, and refusals that do not repeat the value", () => {
  fc.assert(fc.property(fc.uint8Array(), (bytes) => assert.deepEqual(fromHex(toHex(bytes)), bytes)));
  assert.throws(
    () => fromHex("abc", "psk"),
    (error: unknown) => error instanceof InvalidInput && /psk: .*even/.test(error.message),
  );
  assert.throws(
    () => fromHex("zz11", "psk"),
    (error: unknown) => error instanceof InvalidInput && !error.message.includes("zz"),
  );
});

test("bytes are equal only with the same length and content", () => {
  assert.ok(equalInConstantTime(Uint8Array.of(1, 2), Uint8Array.of(1, 2)));
  assert.ok(!equalInConstantTime(Uint8Array.of(1, 2), Uint8Array.of(1, 3)));
  assert.ok(!equalInConstantTime(Uint8Array.of(1, 2), Uint8Array.of(1)));
});

test("a seed gives the same numbers each time, spread over [0, 1)", () => {
  const draw = (): number[] => {
    const random = seededRandom(7);
    return Array.from({ length: 1000 }, () => random.uniform());
  };
  const numbers = draw();
  assert.deepEqual(numbers, draw());
  assert.ok(numbers.every((number) => number >= 0 && number < 1));
  const mean = numbers.reduce((sum, number) => sum + number, 0) / numbers.length;
  assert.ok(Math.abs(mean - 0.5) < 0.05, `mean ${mean}`);
});

test("the text of an error stays on one line", () => {
  assert.equal(errorText(new Error("one\n  two")), "one two");
  assert.equal(errorText("plain"), "plain");
});
