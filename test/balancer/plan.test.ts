import assert from "node:assert/strict";
import { test } from "node:test";
import type { PlanReply, PlanRequest } from "../../src/control/index.ts";
import { endpointOf, MINUTE, World } from "./world.ts";

async function plan(world: World, body: PlanRequest = {}): Promise<PlanReply> {
  return world.api.plan({ params: {}, query: {}, body });
}

/** Where every name in DNS leads: what a dry run must not change. */
async function picture(world: World, count: number): Promise<string> {
  const views = await Promise.all(Array.from({ length: count }, (_, number) => world.view(endpointOf(number))));
  return JSON.stringify(views.map(({ names = [], ...view }) => [view, names.map((name) => world.table.get(name))]));
}

test("the plan of the next epoch says when, and what is added, removed and moved; then it happens (B16)", async () => {
  const world = await World.start();
  await world.joinAll("bs-11", "bs-12");
  await world.import(20);
  for (let number = 0; number < 20; number++) {
    const { instance } = await world.view(endpointOf(number));
    if (instance === "bs-11") await world.tell("bs-11", "completed", endpointOf(number), `S${number}`);
  }
  const before = await picture(world, 20);
  const told = await plan(world);
  assert.equal(await picture(world, 20), before, "nothing was changed");
  assert.equal(told.at, world.clock.now() + 25 * MINUTE, "five minutes before 10:30");
  assert.deepEqual([told.added, told.moved, told.removed], [10, 5, 0]);
  assert.deepEqual(told.reasons, [{ reason: "levelled", devices: 5 }]);
  assert.deepEqual(told.instances, [
    { id: "bs-11", before: 0, after: 5, arriving: 5, leaving: 0, added: 5, removed: 0 },
    { id: "bs-12", before: 10, after: 5, arriving: 0, leaving: 5, added: 5, removed: 0 },
  ]);
  await world.pass(25 * MINUTE, 4000);
  assert.deepEqual(world.loads(), [5, 5]);
  const sizes = world.balancer.epochs.views().map(({ names }) => names);
  assert.deepEqual(sizes, [10, 10]);
});

test("the plan after that removes the names of the epoch that will have ended", async () => {
  const world = await World.start();
  await world.joinAll("bs-11", "bs-12");
  await world.import(6);
  await world.pass(26 * MINUTE, 4000);
  const { added, removed, moved } = await plan(world);
  assert.deepEqual({ added, removed, moved }, { added: 6, removed: 6, moved: 0 });
});

test("what would move if an instance were gone, or had another weight, is told and not done", async () => {
  const world = await World.start();
  await world.joinAll("bs-11", "bs-12", "bs-13");
  await world.import(30);
  const before = await picture(world, 30);
  const gone = await plan(world, { without: ["bs-12"] });
  assert.deepEqual([gone.at, gone.moved, gone.reasons], [null, 10, [{ reason: "unserved", devices: 10 }]]);
  assert.deepEqual(
    gone.instances.map(({ after }) => after),
    [15, 0, 15],
  );
  const heavy = await plan(world, { weights: { "bs-11": 3 } });
  assert.deepEqual(
    heavy.instances.map(({ after }) => after),
    [18, 6, 6],
  );
  assert.equal(heavy.moved, 8);
  assert.equal(await picture(world, 30), before);
});

test("a plan with an instance that nobody knows is refused with its name", async () => {
  const world = await World.start();
  await assert.rejects(() => plan(world, { without: ["bs-77"] }), /instance: bs-77 is not known/);
});

test("names dealt in turn: to look ahead does not change whose turn it is", async () => {
  const allocation = { policy: "round-robin", nearest: 1, rules: [], columns: {} };
  const world = await World.start({ allocation });
  await world.joinAll("bs-11", "bs-12", "bs-13");
  await world.import(9);
  const first = await plan(world);
  assert.deepEqual(await plan(world), first);
  await world.balancer.rotate("test");
  assert.deepEqual(
    world.loads(),
    first.instances.map(({ after }) => after),
  );
});
