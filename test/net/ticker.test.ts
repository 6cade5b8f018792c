import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { VirtualClock } from "../../src/lib/clock.ts";
import { pause, Ticker } from "../../src/net/index.ts";

test("a machine is ticked when its deadline has come, and not before", (t) => {
  t.mock.timers.enable({ apis: ["setInterval"] });
  const clock = new VirtualClock(0);
  const ticker = new Ticker(clock, 20);
  const ticks: number[] = [];
  let due: number | undefined = 50;
  ticker.add({
    nextDeadline: () => due,
    tick: (now) => {
      ticks.push(now);
      due = undefined;
    },
  });
  for (let step = 0; step < 5; step++) {
    clock.advance(20);
    t.mock.timers.tick(20);
  }
  assert.deepEqual(ticks, [60]);
  ticker.stop();
});

test("a machine may be taken out while others tick", (t) => {
  t.mock.timers.enable({ apis: ["setInterval"] });
  const clock = new VirtualClock(100);
  const ticker = new Ticker(clock, 20);
  const second = { nextDeadline: () => 0, tick: mock.fn() };
  ticker.add({ nextDeadline: () => 0, tick: () => ticker.remove(second) });
  ticker.add(second);
  t.mock.timers.tick(40);
  assert.equal(second.tick.mock.callCount(), 0);
  ticker.stop();
});

test("a pause ends when it is called off", async () => {
  const called = new AbortController();
  const paused = pause(1_000_000, called.signal);
  called.abort();
  await paused;
  await pause(1_000_000, called.signal);
});
