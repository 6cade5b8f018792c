import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { builtInRecipe, liveSteps, type Recipe } from "../../src/naming/index.ts";
import { breathe, NotFound } from "../../src/net/index.ts";
import { FakeStorage } from "./fake-storage.ts";
import { deviceInput, endpointOf, MINUTE, TIMING, World } from "./world.ts";

/** Of a fleet this small half may get new secrets within minutes, and would be held. */
const UNBRAKED = { brake: 1 } as const;
const DEVICES = 12;
const device = fc.integer({ min: 0, max: DEVICES - 1 });
const instance = fc.integer({ min: 11, max: 14 }).map((number) => `bs-${number}`);
const session = fc.constantFrom("S1", "S2", "S3");

const event = fc.oneof(
  fc.record({ kind: fc.constantFrom("join" as const, "leave" as const, "crash" as const, "restart" as const), instance }),
  fc.record({ kind: fc.constantFrom("commenced" as const, "completed" as const, "failed" as const), device, instance, session }),
  fc.record({ kind: fc.constantFrom("import" as const, "remove" as const, "new secret" as const), device }),
  fc.record({ kind: fc.constantFrom("rotate" as const, "balancer restart" as const, "stand still" as const) }),
  fc.record({ kind: fc.constant("pass" as const), seconds: fc.constantFrom(1, 6, 95, 300, 1200) }),
);
type Event = typeof event extends fc.Arbitrary<infer T> ? T : never;

/** Things that happen at once, in no order; but one process does not come and go at once. */
const atOnce = fc.oneof(
  fc.array(event, { minLength: 1, maxLength: 1 }),
  fc.array(event, { minLength: 2, maxLength: 4 }).map((events) => {
    const comesOrGoes = (each: Event): string => ("instance" in each && !("device" in each) ? each.instance : "");
    return events.filter(
      (each, index) =>
        comesOrGoes(each) === "" || events.findIndex((other) => comesOrGoes(other) === comesOrGoes(each)) === index,
    );
  }),
);

/** One digit: nearly every device shares its name, with others in each epoch. */
const DIGIT: Recipe = { ...builtInRecipe("ni-3"), name: "ni-1", token: { encoding: "decimal", last: 1 } };

for (const recipe of [builtInRecipe("berth-1"), DIGIT]) {
  test(`property: whatever happens, in whatever order, the fleet can be served (${recipe.name})`, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(atOnce, { minLength: 3, maxLength: 25 }), async (batches) => {
        let world = await start(recipe);
        for (const events of batches) {
          const before = await inProgress(world);
          await Promise.all([...events.map((each) => play(world, each)), passTime(world, events)]);
          await world.balancer.idle();
          if (events.some(({ kind }) => kind === "balancer restart")) world = await restarted(world);
          checkPresence(world);
          await checkNames(world);
          if (events.some(({ kind }) => kind === "commenced")) continue; // where it turned up, its session is
          for (const [endpoint, where] of await inProgress(world)) {
            const was = before.get(endpoint);
            if (was !== undefined) assert.deepEqual(where, was, "one in progress was moved");
          }
        }
      }),
      { numRuns: 200 },
    );
  });
}

async function start(recipe: Recipe): Promise<World> {
  const storage = new FakeStorage();
  storage.delay = breathe; // others run while something is being stored
  await storage.profiles.put("default", {}, 0);
  const world = await World.start({ recipe, storage, ...UNBRAKED });
  await world.joinAll("bs-11", "bs-12");
  await world.import(DEVICES);
  return world;
}

async function restarted(world: World): Promise<World> {
  const next = await world.restart(UNBRAKED);
  for (const [id, boot] of world.alive) await next.join(id, boot);
  return next;
}

async function play(world: World, event: Event): Promise<void> {
  switch (event.kind) {
    case "join":
      if (!world.alive.has(event.instance)) await world.join(event.instance);
      return;
    case "leave":
      if (world.alive.has(event.instance)) await world.leave(event.instance);
      return;
    case "crash":
      world.crash(event.instance);
      return;
    case "restart":
      if (world.alive.has(event.instance)) await world.join(event.instance, `${event.instance}-${world.clock.now()}`);
      return;
    case "commenced":
    case "completed":
    case "failed":
      if (!world.alive.has(event.instance)) return;
      // An instance that leaves or restarts at the same moment is told that it is not registered.
      await world.tell(event.instance, event.kind, endpointOf(event.device), event.session).catch(onlyNotFound);
      return;
    case "import":
      if (world.balancer.fleet.byEndpoint(endpointOf(event.device)) === undefined) await world.import(1, event.device);
      return;
    case "new secret":
      await world.add(deviceInput(event.device, { psk: world.clock.now().toString(16).padStart(32, "f") }));
      return;
    case "remove":
      await world.balancer.remove(endpointOf(event.device));
      return;
    case "rotate":
      await world.balancer.rotate("test");
      return;
    case "pass":
    case "stand still":
      return; // time passes for all at once
    case "balancer restart":
      return; // when all that is under way is over
  }
}

/** Time has one course, whatever happens in it, and a balancer that is awake is ticked all along. What crashed is lost by the end of it. */
async function passTime(world: World, events: readonly Event[]): Promise<void> {
  if (events.some(({ kind }) => kind === "stand still")) {
    world.clock.advance(10 * MINUTE);
    await world.tick();
  }
  const spans = events.map((event) => (event.kind === "pass" ? event.seconds : event.kind === "crash" ? 8 : 0));
  await world.pass(Math.max(...spans, 0) * 1000);
}

/** Who gives signs of life is not taken for lost, however long nobody listened. */
function checkPresence(world: World): void {
  for (const id of world.alive.keys()) assert.equal(world.balancer.instances.get(id)?.presence, "up", id);
}

function onlyNotFound(error: unknown): void {
  if (!(error instanceof NotFound)) throw error;
}

async function inProgress(world: World): Promise<Map<string, string | null>> {
  const all = new Map<string, string | null>();
  for (const { endpoint } of world.balancer.fleet.commenced.keys()) {
    const { instance } = await world.view(endpoint);
    if (world.alive.has(instance ?? "")) all.set(endpoint, instance);
  }
  return all;
}

/** A pending device has one name in each live step, which leads to an instance that is up and may serve it; a completed one none. */
async function checkNames(world: World): Promise<void> {
  const steps = liveSteps(world.recipe, world.clock.now(), { lead: TIMING.lead, grace: TIMING.grace });
  const endpoints = Array.from({ length: DEVICES }, (_, number) => endpointOf(number));
  for (const endpoint of endpoints.filter((each) => world.balancer.fleet.byEndpoint(each) !== undefined)) {
    const { state, names = [] } = await world.view(endpoint);
    if (state === "completed") assert.deepEqual(names, []);
    if (state !== "pending" || world.alive.size === 0) continue;
    assert.equal(names.length, steps.length, `${names.length} names in ${steps.length} steps`);
    for (const name of names) {
      const id = world.balancer.instances.at(world.table.get(name) ?? -1)?.id ?? "";
      assert.ok(world.alive.has(id), `a name leads to "${id}", which is not up`);
      assert.ok("assignment" in (await world.lookup(id, endpoint)), `${id} may not serve ${endpoint}`);
    }
  }
  const { counts } = world.balancer.fleet;
  const known = endpoints.filter((endpoint) => world.balancer.fleet.byEndpoint(endpoint) !== undefined).length;
  assert.equal(counts.pending + counts.commenced + counts.completed, known);
  assert.ok(world.table.size <= (counts.pending + counts.commenced) * (steps.length + 1), "names of nobody are in DNS");
}

test("the table is empty when the last device is gone, whatever it went through", async () => {
  const world = await World.start({ sessionDeadline: 60 * MINUTE });
  await world.join("bs-11");
  await world.import(6);
  await world.tell("bs-11", "commenced", endpointOf(0), "S1");
  await world.tell("bs-11", "commenced", endpointOf(1), "S2");
  await world.pass(40 * MINUTE);
  await world.tell("bs-11", "failed", endpointOf(0), "S1");
  for (let number = 0; number < 5; number++) await world.balancer.remove(endpointOf(number));
  assert.equal(world.table.size, 1);
  await world.tell("bs-11", "completed", endpointOf(5), "S3");
  assert.equal(world.table.size, 0);
});
