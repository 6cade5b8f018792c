import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { endpointOf, World } from "./world.ts";

/** Instance of every device, by endpoint; a completed device has none here. */
async function homes(world: World, count: number): Promise<Map<string, string | null>> {
  const all = new Map<string, string | null>();
  for (let number = 0; number < count; number++) {
    const { state, instance } = await world.view(endpointOf(number));
    if (state !== "completed") all.set(endpointOf(number), instance);
  }
  return all;
}

function moved(before: ReadonlyMap<string, unknown>, after: ReadonlyMap<string, unknown>): string[] {
  return [...before.keys()].filter((endpoint) => before.get(endpoint) !== after.get(endpoint));
}

function isEven(loads: readonly number[]): boolean {
  return Math.max(...loads) - Math.min(...loads) <= 1;
}

test("devices are allocated evenly, and DNS leads each to its instance", async () => {
  const world = await World.start();
  await world.joinAll("bs-11", "bs-12", "bs-13");
  await world.import(100);
  assert.deepEqual(world.loads(), [34, 33, 33]);
  for (const [endpoint, instance] of await homes(world, 100)) assert.equal(world.resolve(endpoint), instance);
});

test("an instance that joins gets its share from the others, and nobody else moves", async () => {
  const world = await World.start();
  await world.joinAll("bs-11", "bs-12", "bs-13");
  await world.import(100);
  const before = await homes(world, 100);
  await world.join("bs-14");
  assert.deepEqual(world.loads(), [25, 25, 25, 25]);
  const after = await homes(world, 100);
  assert.equal(moved(before, after).length, 25);
  for (const endpoint of moved(before, after)) assert.equal(world.resolve(endpoint), "bs-14");
});

test("when an instance leaves only its devices move", async () => {
  const world = await World.start();
  await world.joinAll("bs-11", "bs-12", "bs-13");
  await world.import(99);
  const before = await homes(world, 99);
  await world.leave("bs-12");
  const after = await homes(world, 99);
  assert.ok(isEven(world.loads()));
  assert.deepEqual(
    moved(before, after),
    [...before].filter(([, instance]) => instance === "bs-12").map(([endpoint]) => endpoint),
  );
});

test("devices that came before any instance are named when one joins", async () => {
  const world = await World.start();
  await world.import(10);
  assert.equal(world.resolve(endpointOf(3)), undefined);
  await world.join("bs-11");
  assert.equal(world.resolve(endpointOf(3)), "bs-11");
});

test("when the last instance goes names stay as they are, until one comes", async () => {
  const world = await World.start();
  await world.joinAll("bs-11");
  await world.import(10);
  world.crash("bs-11");
  await world.pass(10_000);
  assert.equal(world.resolve(endpointOf(3)), "bs-11");
  const next = await world.restart();
  assert.equal(next.resolve(endpointOf(3)), "bs-11", "after a restart of the balancer too");
  await next.join("bs-12");
  assert.equal(next.resolve(endpointOf(3)), "bs-12");
});

test("between epochs all are levelled, within an epoch only what has to", async () => {
  const world = await World.start();
  await world.joinAll("bs-11", "bs-12");
  await world.import(20);
  for (const [endpoint, instance] of await homes(world, 20)) {
    if (instance === "bs-11") await world.tell("bs-11", "completed", endpoint, `S-${endpoint}`);
  }
  await world.pass(60_000);
  assert.deepEqual(world.loads(), [0, 10]);
  await world.balancer.rotate("by hand");
  assert.deepEqual(world.loads(), [5, 5]);
});

test("who is even already does not move", async () => {
  const world = await World.start();
  await world.joinAll("bs-11", "bs-12");
  await world.import(4);
  const [one = ""] = [...(await homes(world, 4))].find(([, instance]) => instance === "bs-11") ?? [];
  await world.tell("bs-11", "completed", one, "S1");
  assert.deepEqual(world.loads(), [1, 2]);
  assert.equal((await world.balancer.rotate("by hand")).moved, 0);
});

test("spreading twenty thousand devices lets others run often", async () => {
  let pauses = 0;
  const breathe = async (): Promise<void> => void pauses++;
  const world = await World.start({ breathe });
  await world.join("bs-11");
  for (let from = 0; from < 20_000; from += 5000) await world.import(5000, from);
  pauses = 0;
  await world.join("bs-12");
  assert.deepEqual(world.loads(), [10_000, 10_000]);
  assert.ok(pauses > 150, `${pauses} pauses for 10,000 moves`);
});

/** What the fleet should look like, kept in the dumbest way. */
interface Twin {
  readonly up: Set<string>;
  /** Of devices in progress. */
  readonly sessions: Map<string, string>;
  readonly completed: Set<string>;
}

const event = fc.oneof(
  fc.record({ kind: fc.constant("join" as const), instance: fc.integer({ min: 11, max: 16 }) }),
  fc.record({ kind: fc.constant("leave" as const), instance: fc.integer({ min: 11, max: 16 }) }),
  fc.record({ kind: fc.constant("commence" as const), device: fc.integer({ min: 0, max: 29 }) }),
  fc.record({ kind: fc.constant("complete" as const), device: fc.integer({ min: 0, max: 29 }) }),
  fc.record({ kind: fc.constant("rotate" as const) }),
);

test("property: every device once, even after a rotation, as few moves as can be, and none in progress", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(event, { maxLength: 25 }), async (events) => {
      const world = await World.start();
      await world.import(30);
      const twin: Twin = { up: new Set(), sessions: new Map(), completed: new Set() };
      for (const [index, each] of events.entries()) {
        const before = await homes(world, 30);
        await apply(world, twin, each, `S${index}`);
        check(twin, each, before, await homes(world, 30));
      }
    }),
    { numRuns: 60 },
  );
});

type Event = typeof event extends fc.Arbitrary<infer T> ? T : never;

async function apply(world: World, twin: Twin, event: Event, session: string): Promise<void> {
  if (event.kind === "rotate") return void (await world.balancer.rotate("test"));
  if (event.kind === "join" || event.kind === "leave") {
    const id = `bs-${event.instance}`;
    await (event.kind === "join" ? world.join(id) : world.leave(id));
    if (event.kind === "join") twin.up.add(id);
    else if (twin.up.delete(id))
      for (const [device, instance] of twin.sessions) if (instance === id) twin.sessions.delete(device);
    return;
  }
  const endpoint = endpointOf(event.device);
  const { instance } = await world.view(endpoint);
  if (instance === null || !twin.up.has(instance) || twin.completed.has(endpoint)) return;
  await world.tell(instance, event.kind === "commence" ? "commenced" : "completed", endpoint, session);
  if (event.kind === "commence") twin.sessions.set(endpoint, instance);
  else {
    twin.sessions.delete(endpoint);
    twin.completed.add(endpoint);
  }
}

function check(
  twin: Twin,
  event: Event,
  before: ReadonlyMap<string, string | null>,
  after: ReadonlyMap<string, string | null>,
): void {
  assert.equal(after.size, 30 - twin.completed.size);
  for (const [endpoint, instance] of twin.sessions) assert.equal(after.get(endpoint), instance, "one in progress was moved");
  if (twin.up.size === 0) return;
  for (const instance of after.values()) assert.ok(twin.up.has(instance ?? ""), `${instance} is not up`);
  const moves = moved(before, after).filter((endpoint) => after.has(endpoint));
  if (event.kind === "leave")
    for (const endpoint of moves) assert.ok(!twin.up.has(before.get(endpoint) ?? ""), "one moved without need");
  if (event.kind === "join")
    for (const endpoint of moves) {
      const homeless = !twin.up.has(before.get(endpoint) ?? "");
      assert.ok(homeless || after.get(endpoint) === `bs-${event.instance}`, "one moved to another than who joined");
    }
  if (event.kind === "rotate") {
    // Sessions may hold an instance above the mean; apart from that nobody differs by more than one.
    const held = (id: string): number => [...twin.sessions.values()].filter((instance) => instance === id).length;
    const load = (id: string): number => [...after.values()].filter((instance) => instance === id).length;
    const ids = [...twin.up];
    const least = Math.min(...ids.map(load));
    for (const id of ids) assert.ok(load(id) <= Math.max(least + 1, held(id)), `${id} has ${load(id)}, another ${least}`);
  }
}
