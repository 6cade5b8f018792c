import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { builtInRecipe, lookAheadOf, parseRecipe, type Recipe } from "../../src/naming/index.ts";
import { deviceInput, endpointOf, listeningLogger, MINUTE, NOW, TIMING, World, type WorldOptions } from "./world.ts";

const [DEVICE, OTHER] = [endpointOf(0), endpointOf(1)];
const HOUR = { kind: "time", unit: 3600, round: "nearest" };

/** Names of a counter, with a look-ahead of 3 unless it is said. */
function counting(lookAhead = 3, ...more: readonly unknown[]): Recipe {
  return parseRecipe(
    { ...builtInRecipe("berth-1"), parameters: [{ kind: "endpoint" }, ...more, { kind: "counter" }], lookAhead },
    "test",
  );
}

async function start(options: WorldOptions = {}): Promise<World> {
  const world = await World.start({ recipe: counting(), ...options });
  await world.joinAll("bs-11", "bs-12");
  await world.import(2);
  return world;
}

/** The counters whose names are in DNS. */
function live(world: World, endpoint = DEVICE, instant = world.clock.now()): number[] {
  const all = Array.from({ length: 60 }, (_, counter) => counter);
  return all.filter((counter) => world.resolve(endpoint, instant, counter) !== undefined);
}

async function homeOf(world: World, endpoint = DEVICE): Promise<string> {
  return (await world.view(endpoint)).instance ?? "";
}

/** A session of the device with the name of this counter, which ends as `how` says. */
async function session(
  world: World,
  how: "completed" | "failed" | "goes on",
  counter?: number,
  endpoint = DEVICE,
  name = `S${counter}`,
): Promise<void> {
  const home = await homeOf(world, endpoint);
  await world.tell(home, "commenced", endpoint, name, counter);
  if (how !== "goes on") await world.tell(home, how, endpoint, name, how === "completed" ? counter : undefined);
}

async function rearm(world: World, endpoint = DEVICE): Promise<void> {
  await world.balancer.rearming.byHand({ endpoints: [endpoint], reason: "test" });
}

test("a device that has counted further than the balancer is found within the look-ahead, and both agree from then on (N3)", async () => {
  const world = await start();
  assert.deepEqual(live(world), [0, 1, 2, 3]);
  await session(world, "goes on", 2);
  assert.deepEqual(live(world), [2, 3, 4, 5], "while it is in progress: the name that it used stays (B7)");
  assert.deepEqual(live(world, OTHER), [0, 1, 2, 3], "of another device");
  await world.tell(await homeOf(world), "failed", DEVICE, "S2");
  assert.deepEqual(live(world), [2, 3, 4, 5], "a failure uses up no counter");
  await session(world, "completed", 3, DEVICE, "again");
  assert.deepEqual(live(world), [], "it has its configuration");
});

test("a device that completed and is armed again is found at its next counter (N3, B14)", async () => {
  const world = await start();
  await session(world, "completed", 1);
  await rearm(world);
  assert.deepEqual(live(world), [2, 3, 4, 5]);
  assert.equal(world.resolve(DEVICE, NOW, 2), await homeOf(world));
});

test("where the name was not seen, a completion counts on by one, as the device does (N3)", async () => {
  const world = await start();
  for (let bootstrap = 0; bootstrap < 10; bootstrap++) {
    await session(world, "completed", undefined, DEVICE, `S${bootstrap}`);
    await rearm(world);
  }
  assert.deepEqual(live(world), [10, 11, 12, 13]);
});

test("rotations while a device sleeps: a name it tries is always live, however many there are (N3)", async () => {
  const world = await start();
  const lowest: number[] = [];
  for (let rotation = 0; rotation < 20; rotation++) {
    await world.balancer.rotate("test");
    lowest.push(live(world)[0] ?? Number.NaN);
  }
  assert.deepEqual(lowest, [1, 2, ...Array.from({ length: 18 }, () => 3)]);
  await session(world, "completed", 3);
  await rearm(world);
  assert.deepEqual(live(world), [4, 5, 6, 7]);
});

test("a device that fails after rotations is found after as many more, though it has not counted itself (N3)", async () => {
  const world = await start();
  for (let rotation = 0; rotation < 3; rotation++) await world.balancer.rotate("test");
  await session(world, "failed", 3);
  for (let rotation = 0; rotation < 3; rotation++) await world.balancer.rotate("test");
  assert.ok(live(world).includes(3), "the last name that a device at counter 0 tries");
});

test("a rotation withdraws the lowest name of each pending device, and of no other; its reply tells how many (N3, B7)", async () => {
  const log = listeningLogger();
  const world = await start({ log });
  await session(world, "completed", 0);
  await session(world, "goes on", 1, OTHER);
  await world.import(3, 2);
  const reply = await world.balancer.rotate("found on a forum", "leak");
  assert.deepEqual([reply.pending, reply.stepped, reply.warnings], [3, 3, []]);
  assert.deepEqual(live(world, endpointOf(2)), [1, 2, 3, 4]);
  assert.deepEqual(live(world, OTHER), [1, 2, 3, 4], "of the one in progress, as before");
  await world.balancer.rotate("two");
  await world.import(1, 5);
  await world.balancer.rotate("three");
  const last = await world.balancer.rotate("four");
  assert.equal(last.stepped, 1);
  assert.match(last.warnings.join(), /^3 devices keep their names: the recipe looks ahead by 3/);
  const said = log.lines.findLast(({ message }) => message === "names are regenerated");
  assert.deepEqual({ stepped: 1, atLimit: 3, ...(said?.fields as object) }, said?.fields);
});

test("a plan tells what a rotation would do: one name of each device for another (B16, N3)", async () => {
  const world = await start();
  await session(world, "completed", 0);
  const plan = await world.balancer.plan({});
  assert.deepEqual([plan.at, plan.added, plan.removed], [null, 1, 1]);
  assert.deepEqual(live(world, OTHER), [0, 1, 2, 3], "and does nothing");
});

test("devices are at different counters, each with its own names; a restart keeps them (N3, B17)", async () => {
  const world = await start();
  await session(world, "completed", 3);
  await rearm(world);
  await world.balancer.rotate("test");
  await session(world, "failed", 2, OTHER);
  const next = await world.restart();
  for (const each of [world, next]) {
    assert.deepEqual(live(each), [5, 6, 7, 8]);
    assert.deepEqual(live(each, OTHER), [2, 3, 4, 5]);
    assert.equal(each.table.size, 8, "and no more");
  }
});

test("a recipe of time and counter: the counters of all live epochs go on together (N3)", async () => {
  const world = await start({ recipe: counting(2, HOUR) });
  await world.pass(26 * MINUTE, 5000);
  const next = NOW + 60 * MINUTE;
  assert.deepEqual(
    [live(world), live(world, DEVICE, next)],
    [
      [0, 1, 2],
      [0, 1, 2],
    ],
  );
  await session(world, "failed", 1);
  assert.deepEqual(
    [live(world), live(world, DEVICE, next)],
    [
      [1, 2, 3],
      [1, 2, 3],
    ],
  );
  await world.pass(20 * MINUTE, 5000);
  assert.deepEqual([live(world, DEVICE, NOW), live(world)], [[], [1, 2, 3]]);
  assert.equal(world.table.size, 6);
});

test("an assignment says the lowest live counter; after a rotation when no resolver holds the withdrawn name any more (S2)", async () => {
  const world = await start({ timing: { ...TIMING, ttl: 30_000 } });
  const home = await homeOf(world);
  const stream = world.open(home);
  const told = async (): Promise<unknown> =>
    (await stream.events())
      .flatMap((event) => (event.type === "assign" ? event.assignments : []))
      .findLast(({ endpoint }) => endpoint === DEVICE)?.counter;
  assert.equal(await told(), undefined, "absent: 0");
  await world.balancer.rotate("test");
  await world.pass(60_000, 4000);
  assert.equal(await told(), undefined);
  await world.pass(31_000, 1000);
  assert.equal(await told(), 1);
  await session(world, "completed", 2);
  await rearm(world);
  assert.deepEqual((await world.lookup(await homeOf(world), DEVICE)) as unknown, {
    assignment: { ...assigned(), counter: 3 },
  });
  stream.close();
});

function assigned(): object {
  const { endpoint, psk } = deviceInput(0);
  return { endpoint, mode: "psk", identity: endpoint, psk, profile: "default", attributes: {} };
}

test("property: whatever happens, a name that the device tries is live while it is pending (N3)", async () => {
  const act = fc.constantFrom("rotate", "complete", "complete unseen", "complete untold", "fail", "fail untold");
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 4 }), fc.array(act, { maxLength: 25 }), async (lookAhead, acts) => {
      const recipe = counting(lookAhead);
      const world = await start({ recipe });
      let counter = 0;
      let untold = 0;
      for (const [number, each] of acts.entries()) {
        const tried = Array.from({ length: lookAheadOf(recipe) + 1 }, (_, ahead) => counter + ahead);
        const found = tried.find((one) => world.resolve(DEVICE, NOW, one) !== undefined);
        assert.ok(found !== undefined, `none of ${tried} before ${each}, number ${number}`);
        const seen = each === "complete unseen" ? undefined : found;
        if (each === "rotate") await world.balancer.rotate("test");
        else if (each.startsWith("fail")) {
          if (each === "fail") await session(world, "failed", seen, DEVICE, `S${number}`);
        } else {
          // What the balancer never hears of is within the look-ahead once.
          if (each === "complete untold" && ++untold > 1) continue;
          counter = found + 1;
          if (each === "complete untold") continue;
          await session(world, "completed", seen, DEVICE, `S${number}`);
          await rearm(world);
          if (seen !== undefined) untold = 0;
        }
      }
    }),
    { numRuns: 60 },
  );
});
