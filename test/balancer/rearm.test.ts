import assert from "node:assert/strict";
import { test } from "node:test";
import type { Rearming } from "../../src/control/index.ts";
import { openStorage, SecretBox } from "../../src/storage/index.ts";
import { FakeStorage } from "./fake-storage.ts";
import { deviceInput, endpointOf, MINUTE, NOW, World, type WorldOptions } from "./world.ts";

const DEVICE = endpointOf(0);
const DAY = 24 * 60 * MINUTE;

/** A world with two instances and devices of which all have completed; the even ones are of group `north`. */
async function completedWorld(count: number, options: WorldOptions = {}): Promise<World> {
  const world = await World.start(options);
  await world.joinAll("bs-11", "bs-12");
  await world.add(...Array.from({ length: count }, (_, n) => deviceInput(n, n % 2 === 0 ? { group: "north" } : {})));
  for (let n = 0; n < count; n++) await complete(world, endpointOf(n));
  return world;
}

async function complete(world: World, endpoint: string, session = `S-${endpoint}`): Promise<void> {
  await world.tell("bs-11", "commenced", endpoint, session);
  await world.tell("bs-11", "completed", endpoint, session);
}

function rearm(world: World, body: Partial<Rearming>): Promise<{ rearmed: number; unknown: readonly string[] }> {
  return Promise.resolve(world.api.rearm({ params: {}, query: {}, body: { reason: "test", ...body } }));
}

async function states(world: World, count: number): Promise<string[]> {
  const views = await Promise.all(Array.from({ length: count }, (_, n) => world.view(endpointOf(n))));
  return views.map(({ state }) => state);
}

test("a completed device is named again only when it is re-armed: then its name leads at once to an instance that has it (B14)", async () => {
  const world = await completedWorld(1);
  const streams = ["bs-11", "bs-12"].map((id) => ({ id, ...world.open(id) }));
  assert.equal(world.resolve(DEVICE), undefined);
  assert.deepEqual(await world.lookup("bs-11", DEVICE), { refused: "completed" });

  assert.deepEqual(await rearm(world, { endpoints: [DEVICE] }), { rearmed: 1, unknown: [] });

  const instance = world.resolve(DEVICE);
  const stream = streams.find(({ id }) => id === instance);
  const told = (await stream?.events()) ?? [];
  assert.ok(told.some((event) => event.type === "assign" && event.assignments.some(({ endpoint }) => endpoint === DEVICE)));
  const view = await world.view(DEVICE);
  assert.deepEqual([view.state, view.instance, view.completedAt], ["pending", instance, NOW]);
  for (const { close } of streams) close();
  await complete(world, DEVICE, "again");
  assert.deepEqual((await world.view(DEVICE)).state, "completed");
});

test("what is told late of the session that completed does not count after a re-arm; a new session's completion does", async () => {
  const world = await completedWorld(1);
  await rearm(world, { all: true });
  await world.tell("bs-11", "completed", DEVICE, `S-${DEVICE}`);
  await world.tell("bs-11", "commenced", DEVICE, `S-${DEVICE}`);
  await world.tell("bs-11", "failed", DEVICE, `S-${DEVICE}`);
  assert.equal((await world.view(DEVICE)).state, "pending");
  await world.tell("bs-12", "commenced", DEVICE, "new");
  await world.pass(91_000);
  assert.deepEqual([(await world.view(DEVICE)).state, (await world.view(DEVICE)).failures], ["pending", 1]);
  await world.tell("bs-12", "completed", DEVICE, "new");
  assert.equal((await world.view(DEVICE)).state, "completed");
});

test("a re-arm takes the devices of which every condition is true, and tells which endpoints are not known", async () => {
  const world = await completedWorld(4);
  assert.deepEqual(await rearm(world, { endpoints: [DEVICE, endpointOf(1), "urn:nobody"], group: "north" }), {
    rearmed: 1,
    unknown: ["urn:nobody"],
  });
  assert.deepEqual(await states(world, 4), ["pending", "completed", "completed", "completed"]);
  assert.deepEqual(await rearm(world, { group: "north" }), { rearmed: 1, unknown: [] }, "one of them is pending already");
  assert.deepEqual(await rearm(world, { completedBefore: NOW }), { rearmed: 0, unknown: [] });
  assert.deepEqual(await rearm(world, { completedBefore: NOW + 1 }), { rearmed: 2, unknown: [] });
  assert.deepEqual(await rearm(world, { endpoints: [DEVICE, DEVICE] }), { rearmed: 0, unknown: [] });
});

test("a re-armed device is so after a restart of the balancer", async () => {
  const world = await completedWorld(2);
  await rearm(world, { endpoints: [DEVICE] });
  const again = await world.restart();
  assert.deepEqual(await states(again, 2), ["pending", "completed"]);
  assert.ok(again.resolve(DEVICE) !== undefined);
});

test("what cannot be stored is told as an error, and stored later", async () => {
  const storage = new FakeStorage();
  await storage.profiles.put("default", {}, NOW);
  const world = await completedWorld(1, { storage });
  storage.broken = true;
  await assert.rejects(rearm(world, { all: true }), /the database is away/);
  storage.broken = false;
  await world.pass(3000);
  assert.equal(storage.rows[0]?.state, "pending");
});

test("rules re-arm devices some time after they completed, all or those of a group (B14)", async () => {
  const world = await completedWorld(4, { rearm: [{ group: "north", after: DAY }, { after: 2 * DAY }] });
  for (const id of world.alive.keys()) world.crash(id);
  const later = async (span: number): Promise<string[]> => {
    world.clock.advance(span);
    await world.tick();
    return states(world, 4);
  };
  assert.deepEqual(await later(DAY - MINUTE), ["completed", "completed", "completed", "completed"]);
  assert.deepEqual(await later(MINUTE), ["pending", "completed", "pending", "completed"]);
  assert.deepEqual(await later(DAY), ["pending", "pending", "pending", "pending"]);
});

test("a rule of no time re-arms a device as soon as it has completed: it has a live name at once (B14)", async () => {
  const world = await completedWorld(2, { rearm: [{ group: "north", after: 0 }] });
  assert.deepEqual(await states(world, 2), ["pending", "completed"]);
  assert.ok(world.resolve(DEVICE) !== undefined);
  await complete(world, DEVICE, "again");
  assert.deepEqual(await states(world, 2), ["pending", "completed"]);
  assert.equal((await world.view(DEVICE)).completedAt, NOW);
});

test("many devices are re-armed in slices: nothing else waits long", async () => {
  const count = 5000;
  let breaths = 0;
  const breathe = async (): Promise<void> => {
    breaths++;
  };
  const world = await World.start({ breathe });
  await world.joinAll("bs-11", "bs-12");
  await world.import(count);
  const notes = Array.from({ length: count }, (_, n) => world.note("bs-11", "completed", endpointOf(n), `S${n}`));
  await world.send("bs-11", notes);
  assert.equal(world.balancer.fleet.counts.completed, count);
  breaths = 0;
  assert.equal((await rearm(world, { all: true })).rearmed, count);
  assert.deepEqual(world.loads(), [count / 2, count / 2]);
  assert.ok(breaths >= count / 100, `others may run ${breaths} times`);
});

test("over the real storage too a re-armed device is pending after a restart", async () => {
  const storage = await openStorage({ kind: "memory" }, new SecretBox(new Uint8Array(32).fill(1)));
  await storage.profiles.put("default", {}, NOW);
  const world = await completedWorld(1, { storage });
  await rearm(world, { all: true });
  const row = await storage.devices.get(DEVICE);
  assert.deepEqual([row?.state, row?.completedAt], ["pending", NOW]);
  await storage.close();
});
