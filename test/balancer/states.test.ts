import assert from "node:assert/strict";
import { test } from "node:test";
import { FAILURE_CAUSES } from "../../src/control/index.ts";
import { endpointOf, World } from "./world.ts";

const DEVICE = endpointOf(0);
/** Where a device can be before an event: as FIG. 4 has it, by what brought it there. S1 is a session at instance 11. */
const STATES: Readonly<Record<string, (world: World) => Promise<void>>> = {
  pending: async () => {},
  commenced: (world) => world.tell("bs-11", "commenced", DEVICE, "S1"),
  completed: async (world) => {
    await world.tell("bs-11", "commenced", DEVICE, "S1");
    await world.tell("bs-11", "completed", DEVICE, "S1");
  },
};
const EVENTS: Readonly<Record<string, (world: World) => Promise<void>>> = {
  "commenced S1": (world) => world.tell("bs-11", "commenced", DEVICE, "S1"),
  "commenced S2 elsewhere": (world) => world.tell("bs-12", "commenced", DEVICE, "S2"),
  "completed S1": (world) => world.tell("bs-11", "completed", DEVICE, "S1"),
  "completed S2": (world) => world.tell("bs-12", "completed", DEVICE, "S2"),
  "failed S1": (world) => world.tell("bs-11", "failed", DEVICE, "S1"),
  "failed S2": (world) => world.tell("bs-12", "failed", DEVICE, "S2"),
  deadline: (world) => world.pass(91_000),
  "instance lost": async (world) => {
    world.crash("bs-11");
    await world.pass(6000);
  },
};
/** State after, instance after, failures so far, why the last one failed. */
const TABLE: readonly [state: string, event: string, ...after: [string, string, number, string | null]][] = [
  ["pending", "commenced S1", "commenced", "bs-11", 0, null],
  ["pending", "commenced S2 elsewhere", "commenced", "bs-12", 0, null],
  ["pending", "completed S1", "completed", "bs-11", 0, null],
  ["pending", "completed S2", "completed", "bs-12", 0, null],
  ["pending", "failed S1", "pending", "bs-11", 0, null],
  ["pending", "failed S2", "pending", "bs-11", 0, null],
  ["pending", "deadline", "pending", "bs-11", 0, null],
  ["pending", "instance lost", "pending", "bs-12", 0, null],
  ["commenced", "commenced S1", "commenced", "bs-11", 0, null],
  ["commenced", "commenced S2 elsewhere", "commenced", "bs-12", 0, null],
  ["commenced", "completed S1", "completed", "bs-11", 0, null],
  ["commenced", "completed S2", "completed", "bs-12", 0, null],
  ["commenced", "failed S1", "pending", "bs-11", 1, "request-failed"],
  ["commenced", "failed S2", "commenced", "bs-11", 0, null],
  ["commenced", "deadline", "pending", "bs-11", 1, "deadline"],
  ["commenced", "instance lost", "pending", "bs-12", 1, "connection-lost"],
  ["completed", "commenced S1", "completed", "bs-11", 0, null],
  ["completed", "commenced S2 elsewhere", "completed", "bs-11", 0, null],
  ["completed", "completed S1", "completed", "bs-11", 0, null],
  ["completed", "completed S2", "completed", "bs-11", 0, null],
  ["completed", "failed S1", "completed", "bs-11", 0, null],
  ["completed", "failed S2", "completed", "bs-11", 0, null],
  ["completed", "deadline", "completed", "bs-11", 0, null],
  ["completed", "instance lost", "completed", "bs-11", 0, null],
];

test("the table names every state with every event", () => {
  const all = Object.keys(STATES).flatMap((state) => Object.keys(EVENTS).map((event) => `${state}: ${event}`));
  assert.deepEqual(
    TABLE.map(([state, event]) => `${state}: ${event}`),
    all,
  );
});

for (const [state, event, ...after] of TABLE) {
  test(`${state}, then ${event}: ${after[0]} at ${after[1]}`, async () => {
    const world = await World.start();
    await world.joinAll("bs-11", "bs-12");
    await world.import(1);
    await STATES[state]?.(world);
    await EVENTS[event]?.(world);
    const { instance, failures, lastFailure, names = [], ...view } = await world.view(DEVICE);
    assert.deepEqual([view.state, instance, failures, lastFailure], after);
    assert.equal(names.length, view.state === "completed" ? 0 : 1);
    assert.equal(world.resolve(DEVICE), view.state === "completed" ? undefined : instance, "where DNS leads");
  });
}

test("every cause of a failure is stored and shown", async () => {
  const world = await World.start();
  await world.join("bs-11");
  await world.import(1);
  for (const [index, cause] of FAILURE_CAUSES.entries()) {
    await world.tell("bs-11", "commenced", DEVICE, `S${index}`);
    await world.send("bs-11", [{ ...world.note("bs-11", "failed", DEVICE, `S${index}`), cause }]);
    const { failures, lastFailure } = await world.view(DEVICE);
    assert.deepEqual([failures, lastFailure], [index + 1, cause]);
    assert.equal((await (await world.restart()).view(DEVICE)).lastFailure, cause);
  }
});

test("a device whose session took too long is pending, and the name it computes then leads to its instance", async () => {
  const world = await World.start();
  await world.joinAll("bs-11", "bs-12");
  await world.import(1);
  await world.tell("bs-11", "commenced", DEVICE, "S1");
  await world.pass(89_000);
  assert.equal((await world.view(DEVICE)).state, "commenced");
  await world.pass(2000);
  assert.equal((await world.view(DEVICE)).state, "pending");
  assert.equal(world.resolve(DEVICE), "bs-11");
});

test("a session of before a restart of the balancer has its full time again", async () => {
  const world = await World.start();
  await world.join("bs-11");
  await world.import(1);
  await world.tell("bs-11", "commenced", DEVICE, "S1");
  world.clock.advance(600_000);
  const next = await world.restart();
  await next.join("bs-11");
  await next.pass(89_000);
  assert.equal((await next.view(DEVICE)).state, "commenced");
  await next.pass(2000);
  assert.equal((await next.view(DEVICE)).state, "pending");
});

test("a completion that arrives after the deadline counts", async () => {
  const world = await World.start();
  await world.join("bs-11");
  await world.import(1);
  await world.tell("bs-11", "commenced", DEVICE, "S1");
  await world.pass(91_000);
  await world.tell("bs-11", "completed", DEVICE, "S1");
  assert.equal((await world.view(DEVICE)).state, "completed");
  assert.equal(world.resolve(DEVICE), undefined);
});

test("a completion counts though news of a session elsewhere came first", async () => {
  const world = await World.start();
  await world.joinAll("bs-11", "bs-12");
  await world.import(1);
  await world.tell("bs-12", "commenced", DEVICE, "S2");
  await world.tell("bs-11", "commenced", DEVICE, "S1"); // began before S2, and was delayed
  await world.tell("bs-12", "completed", DEVICE, "S2");
  await world.tell("bs-11", "failed", DEVICE, "S1");
  assert.equal((await world.view(DEVICE)).state, "completed");
});
