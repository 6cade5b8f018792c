import assert from "node:assert/strict";
import { test } from "node:test";
import { VirtualClock } from "../../src/lib/clock.ts";
import { SteadyClock } from "../../src/lib/steady-clock.ts";

test("a clock that is set back does not go back, and goes on from where it was", () => {
  const clock = new VirtualClock(1000);
  const steady = new SteadyClock(clock);
  const start = steady.now();
  clock.advance(50);
  assert.equal(steady.now() - start, 50);
  clock.advance(-10_000);
  assert.equal(steady.now() - start, 50);
  clock.advance(25);
  assert.equal(steady.now() - start, 75);
});
