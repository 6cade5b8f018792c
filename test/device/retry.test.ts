import assert from "node:assert/strict";
import { test } from "node:test";
import { DEFAULT_RETRY, retryDelay } from "../../src/device/index.ts";
import { seededRandom } from "../../src/lib/random.ts";

const OPTIONS = { base: 2_000, cap: 60_000, longestMaxAge: 86_400_000 };

function delays(failures: number, count = 10_000, maxAge?: number): number[] {
  const random = seededRandom(failures);
  return Array.from({ length: count }, () => retryDelay(failures, OPTIONS, random, maxAge));
}

test("full jitter: waits are evenly spread from 0 to a bound that doubles up to the cap (D7)", () => {
  for (const [failures, bound] of [
    [1, 2_000],
    [2, 4_000],
    [5, 32_000],
    [6, 60_000],
    [5_000, 60_000],
  ] as const) {
    const tenths = new Array<number>(10).fill(0);
    for (const delay of delays(failures)) {
      assert.ok(delay >= 0 && delay < bound, `${delay} after ${failures} failures`);
      const tenth = Math.floor((delay / bound) * 10);
      tenths[tenth] = (tenths[tenth] ?? 0) + 1;
    }
    // 1000 expected in each; 5 standard deviations are 150.
    for (const count of tenths) assert.ok(Math.abs(count - 1000) < 150, `${tenths.join(" ")} after ${failures} failures`);
  }
});

test("nobody comes back before Max-Age, and not all at once after it", () => {
  const waits = delays(1, 1000, 120);
  assert.ok(waits.every((wait) => wait >= 120_000 && wait < 122_000));
  assert.ok(new Set(waits).size > 900);
});

test("a Max-Age of years is cut to a day", () => {
  const delay = retryDelay(1, DEFAULT_RETRY, seededRandom(1), 0xffff_ffff);
  assert.ok(delay >= 86_400_000 && delay < 86_400_000 + DEFAULT_RETRY.base);
});
