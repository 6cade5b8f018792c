import { test } from "node:test";
import fc from "fast-check";
import { MINUTE } from "../balancer/world.ts";
import { Simulation } from "./simulation.ts";

const which = fc.nat(100);
const MOST = 4;

const event = fc.oneof(
  fc.record({ kind: fc.constantFrom("join" as const, "rotate" as const, "balancer restart" as const) }),
  fc.record({ kind: fc.constant("leave" as const), which }),
  fc.record({ kind: fc.constant("drain" as const), which, draining: fc.boolean() }),
  fc.record({ kind: fc.constantFrom("crash" as const, "pause" as const), which, seconds: fc.constantFrom(1, 3, 5, 7, 15, 400) }),
  fc.record({ kind: fc.constantFrom("wave" as const, "re-arm" as const), from: which, devices: fc.integer({ min: 1, max: 20 }) }),
  fc.record({ kind: fc.constant("clock" as const), which, error: fc.integer({ min: -5 * MINUTE, max: 5 * MINUTE }) }),
  fc.record({ kind: fc.constant("pass" as const), seconds: fc.constantFrom(1, 4, 6, 20, 61, 300, 1200, 2400) }),
);
type Event = typeof event extends fc.Arbitrary<infer T> ? T : never;

test("property: whatever instances, devices and their clocks do, in whatever order, the invariants hold (B3, B7, B10-B14)", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.record({
        devices: fc.integer({ min: 20, max: 60 }),
        instances: fc.integer({ min: 2, max: MOST }),
        seed: fc.nat(1_000_000),
        events: fc.array(event, { minLength: 5, maxLength: 30 }),
      }),
      async ({ events, ...options }) => {
        const simulation = await Simulation.start(options);
        await simulation.pass(simulation.patience);
        for (const each of events) await play(simulation, each);
        if (simulation.up.length === 0) await simulation.join();
        await simulation.pass(simulation.patience);
        await simulation.finish(30 * MINUTE);
      },
    ),
    { numRuns: 40 },
  );
});

async function play(simulation: Simulation, event: Event): Promise<void> {
  const { up, devices, now } = simulation;
  const instance = "which" in event ? up[event.which % Math.max(1, up.length)] : undefined;
  switch (event.kind) {
    case "join":
      if (up.length < MOST) await simulation.join();
      return;
    case "leave":
      if (instance !== undefined) await simulation.leave(instance);
      return;
    case "crash":
      if (instance !== undefined) simulation.crash(instance, event.seconds * 1000);
      return;
    case "pause":
      if (instance !== undefined) simulation.pause(instance, event.seconds * 1000);
      return;
    case "drain":
      if (instance !== undefined) await simulation.drain(instance, event.draining);
      return;
    case "rotate":
      return simulation.rotate();
    case "balancer restart":
      return simulation.restartBalancer();
    case "wave":
      for (let each = event.from; each < event.from + event.devices; each++) {
        const device = devices[each % devices.length];
        if (device !== undefined) simulation.at(now + 50 * each, () => simulation.visits.come(device));
      }
      return;
    case "re-arm":
      for (let each = event.from; each < event.from + event.devices; each++) {
        const device = devices[each % devices.length];
        if (device !== undefined) await simulation.rearm(device);
      }
      return;
    case "clock": {
      const device = devices[event.which % devices.length];
      if (device !== undefined) device.error = event.error;
      return;
    }
    case "pass":
      await simulation.pass(event.seconds * 1000);
  }
}
