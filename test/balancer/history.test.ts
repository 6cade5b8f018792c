import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import type { Notification, PastBootstrap } from "../../src/control/index.ts";
import { FakeStorage } from "./fake-storage.ts";
import { endpointOf, NOW, World } from "./world.ts";

const DEVICE = endpointOf(0);

async function worldOfOne(storage = new FakeStorage()): Promise<World> {
  await storage.profiles.put("default", {}, NOW);
  const world = await World.start({ storage });
  await world.joinAll("bs-11", "bs-12");
  await world.import(1);
  return world;
}

async function historyOf(world: World, endpoint = DEVICE): Promise<readonly PastBootstrap[]> {
  await world.tick();
  const { history = [] } = await world.api.device({ params: { endpoint }, query: { history: true }, body: undefined });
  return history;
}

test("each session that ended stands in the device's history: when, where, the hash of its name, how long, and how it ended", async () => {
  const world = await worldOfOne();
  await world.tell("bs-11", "commenced", DEVICE, "S1");
  await world.pass(2000);
  await world.tell("bs-11", "failed", DEVICE, "S1");
  const name = world.nameOf(DEVICE);
  await world.tell("bs-12", "commenced", DEVICE, "S2");
  await world.send("bs-12", [{ ...world.note("bs-12", "completed", DEVICE, "S2"), duration: 734 }]);

  const hash = createHash("sha256").update(name).digest("hex").slice(0, 12);
  const history = await historyOf(world);
  assert.deepEqual(history, [
    { at: NOW + 2000, instance: "bs-12", name: hash, duration: 734, outcome: "completed" },
    { at: NOW, instance: "bs-11", name: hash, duration: 2000, outcome: "request-failed" },
  ]);
  assert.ok(!JSON.stringify(history).includes(name), "never a live name in clear");
  assert.equal((await world.view(DEVICE)).history, undefined, "only when it is asked for");
});

test("sessions that ended unheard stand there too: over the deadline, with their instance, or replaced by another", async () => {
  const world = await worldOfOne();
  await world.tell("bs-11", "commenced", DEVICE, "S1");
  await world.tell("bs-12", "commenced", DEVICE, "S2");
  await world.pass(91_000);
  await world.tell("bs-12", "commenced", DEVICE, "S3");
  world.crash("bs-12");
  await world.pass(7000);
  const history = await historyOf(world);
  assert.deepEqual(
    history.map(({ instance, outcome }) => [instance, outcome]),
    [
      ["bs-12", "connection-lost"],
      ["bs-12", "deadline"],
      ["bs-11", "cancelled"],
    ],
  );
});

test("several sessions told at once are all there, each once, though the database was away the first time", async () => {
  const storage = new FakeStorage();
  const world = await worldOfOne(storage);
  const notes: Notification[] = [];
  for (const [session, end] of [
    ["S1", "failed"],
    ["S2", "completed"],
  ] as const) {
    notes.push(world.note("bs-11", "commenced", DEVICE, session));
    notes.push({ ...world.note("bs-11", end, DEVICE, session), duration: 100 });
  }
  storage.broken = true;
  await assert.rejects(world.send("bs-11", notes));
  storage.broken = false;
  await world.send("bs-11", notes);
  await world.send("bs-11", notes);
  assert.deepEqual(
    (await historyOf(world)).map(({ outcome, duration }) => [outcome, duration]),
    [
      ["completed", 100],
      ["request-failed", 100],
    ],
  );
});

test("the last eight are kept", async () => {
  const world = await worldOfOne();
  for (let n = 0; n < 11; n++) {
    await world.tell("bs-11", "commenced", DEVICE, `S${n}`);
    await world.tell("bs-11", n === 10 ? "completed" : "failed", DEVICE, `S${n}`);
  }
  const history = await historyOf(world);
  assert.deepEqual([history.length, history[0]?.outcome, history[1]?.outcome], [8, "completed", "request-failed"]);
});
