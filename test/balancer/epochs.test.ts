import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { checkTiming } from "../../src/balancer/index.ts";
import { VirtualClock } from "../../src/lib/clock.ts";
import { InvalidInput } from "../../src/lib/errors.ts";
import { builtInRecipe, parseRecipe, type Recipe } from "../../src/naming/index.ts";
import { endpointOf, listeningLogger, MINUTE, NOW, TIMING, World } from "./world.ts";

const DEVICE = endpointOf(1);
/** The epoch of NOW ends. */
const END = NOW + 30 * MINUTE;
/** Names of one minute each. */
const MINUTE_RECIPE: Recipe = parseRecipe({ ...builtInRecipe("berth-1"), parameters: [{ kind: "endpoint" }, time(60)] }, "test");

function time(unit: number): unknown {
  return { kind: "time", unit, round: "nearest" };
}

async function startWithDevices(count: number, options = {}): Promise<World> {
  const world = await World.start(options);
  await world.joinAll("bs-11", "bs-12");
  await world.import(count);
  return world;
}

test("the names of the next epoch resolve lead before it starts, those of the last until grace after it ends (B10)", async () => {
  const world = await startWithDevices(3);
  const [last, next] = [NOW, END + 1];
  const seen: [number, boolean, boolean][] = [];
  const instants = [-6 * MINUTE, -5 * MINUTE, 0, 5 * MINUTE, 5.5 * MINUTE - 1000, 5.5 * MINUTE, 20 * MINUTE];
  for (const instant of instants) {
    await world.pass(END + instant - world.clock.now(), 5000);
    const resolves = (at: number): boolean => world.resolve(DEVICE, at) !== undefined;
    seen.push([instant / MINUTE, resolves(last), resolves(next)]);
  }
  assert.deepEqual(seen, [
    [-6, true, false],
    [-5, true, true],
    [0, true, true],
    [5, true, true],
    [5.5 - 1 / 60, true, true],
    [5.5, false, true],
    [20, false, true],
  ]);
});

test("property: a device whose clock is off by up to the skew never meets a name that is not there", async () => {
  const world = await startWithDevices(5);
  const seconds = fc.integer({ min: 1, max: 1200 });
  const offs = fc.array(fc.integer({ min: -TIMING.skew, max: TIMING.skew }), { minLength: 5, maxLength: 5 });
  await fc.assert(
    fc.asyncProperty(seconds, offs, async (span, skews) => {
      await world.pass(span * 1000, 4000);
      for (const [number, skew] of [...skews, TIMING.skew, -TIMING.skew].entries()) {
        const endpoint = endpointOf(number % 5);
        assert.notEqual(world.resolve(endpoint, world.clock.now() + skew), undefined, `${skew} ms off at ${world.clock.now()}`);
      }
    }),
    { numRuns: 60 },
  );
});

test("a device in progress keeps its name beyond its epoch, at its instance, until its session is over (B7)", async () => {
  const world = await startWithDevices(4, { sessionDeadline: 60 * MINUTE });
  await world.pass(24 * MINUTE, 5000);
  const { instance } = await world.view(DEVICE);
  await world.tell(instance ?? "", "commenced", DEVICE, "S1");
  await world.pass(14 * MINUTE, 5000);
  assert.equal(world.resolve(endpointOf(2), NOW), undefined, "of a device that has not commenced");
  assert.equal(world.resolve(DEVICE, NOW), instance);
  assert.equal(world.resolve(DEVICE), undefined, "it gets no new name");
  await world.tell(instance ?? "", "completed", DEVICE, "S1");
  assert.equal(world.resolve(DEVICE, NOW), undefined);
  assert.equal(world.table.get(world.nameOf(DEVICE)), undefined);
});

test("a device that fails after its epoch gets the names of now, and its old one goes", async () => {
  const world = await startWithDevices(4, { sessionDeadline: 60 * MINUTE });
  const { instance } = await world.view(DEVICE);
  await world.tell(instance ?? "", "commenced", DEVICE, "S1");
  await world.pass(40 * MINUTE, 5000);
  await world.tell(instance ?? "", "failed", DEVICE, "S1");
  assert.equal(world.resolve(DEVICE), instance);
  assert.equal(world.resolve(DEVICE, NOW), undefined);
});

test("a device in progress at an epoch's end whose instance is lost is named elsewhere in the new epoch", async () => {
  const world = await startWithDevices(4, { sessionDeadline: 60 * MINUTE });
  const { instance } = await world.view(DEVICE);
  await world.tell(instance ?? "", "commenced", DEVICE, "S1");
  await world.pass(40 * MINUTE, 4000);
  world.crash(instance ?? "");
  await world.pass(8000);
  assert.equal(world.resolve(DEVICE), instance === "bs-11" ? "bs-12" : "bs-11");
});

test("an epoch is being built while devices come, go, commence and complete", async () => {
  let betweenSlices: (() => Promise<void>) | undefined;
  const breathe = async (): Promise<void> => {
    const act = betweenSlices;
    betweenSlices = undefined;
    await act?.();
  };
  const world = await World.start({ breathe });
  await world.join("bs-11");
  await world.import(300);
  const [removed, completed, commenced, far] = [endpointOf(5), endpointOf(290), endpointOf(291), endpointOf(299)];
  betweenSlices = async () => {
    betweenSlices = async () => {
      await world.balancer.remove(removed); // it has its name of the new epoch already
      await world.import(1, 500); // takes the row of the one removed
      await world.tell("bs-11", "completed", completed, "S1");
      await world.tell("bs-11", "commenced", commenced, "S2");
      await world.balancer.remove(far);
    };
  };
  await world.pass(26 * MINUTE, 5000);
  assert.equal(betweenSlices, undefined, "the epoch was built in slices");
  const next = END + 1;
  assert.equal(world.resolve(removed, next), undefined);
  assert.equal(world.resolve(completed, next), undefined);
  assert.equal(world.resolve(far, next), undefined);
  assert.equal(world.resolve(endpointOf(500), next), "bs-11");
  assert.equal(world.resolve(endpointOf(288), next), "bs-11");
  assert.equal(world.resolve(commenced), "bs-11");
  await world.pass(20 * MINUTE, 5000);
  assert.equal(world.table.size, 298);
});

test("a row is reused: the device that has it now has its own names only", async () => {
  const world = await startWithDevices(3);
  const before = world.nameOf(endpointOf(2));
  await world.balancer.remove(endpointOf(2));
  assert.equal(world.table.get(before), undefined);
  await world.import(1, 7);
  assert.equal(world.table.get(before), undefined);
  assert.notEqual(world.resolve(endpointOf(7)), undefined);
  assert.equal(world.table.size, 3);
});

test("a unit shorter than lead and grace has many epochs live at once", async () => {
  const world = await startWithDevices(2, { recipe: MINUTE_RECIPE });
  for (let minute = 0; minute < 20; minute++) {
    for (const off of [-5, -2.5, 0, 2.5, 5]) {
      assert.notEqual(world.resolve(DEVICE, world.clock.now() + off * MINUTE), undefined, `${off} minutes off`);
    }
    await world.pass(MINUTE);
  }
  const { epochs } = await world.api.status({ params: {}, query: {}, body: undefined });
  assert.ok(epochs.length >= 11 && epochs.length <= 12, `${epochs.length} epochs`);
});

test("a timer rotates", async () => {
  const world = await startWithDevices(20, { timing: { ...TIMING, rotateEvery: MINUTE } });
  for (let number = 0; number < 20; number++) {
    const { instance } = await world.view(endpointOf(number));
    if (instance === "bs-11") await world.tell("bs-11", "completed", endpointOf(number), `S${number}`);
  }
  assert.deepEqual(world.loads(), [0, 10]);
  await world.pass(MINUTE + 1000);
  assert.deepEqual(world.loads(), [5, 5]);
});

test("the clock is set back: names follow it, and instances are watched as before", async () => {
  const world = await startWithDevices(4);
  await world.pass(40 * MINUTE, 4000);
  world.clock.advance(-60 * MINUTE);
  await world.pass(2000);
  assert.notEqual(world.resolve(DEVICE), undefined, "at the earlier time");
  world.crash("bs-11");
  await world.pass(7000);
  assert.deepEqual(world.loads(), [4]);
  assert.equal(world.resolve(DEVICE), "bs-12");
});

test("a device that cannot be named does not keep the others from it", async () => {
  const clock = new VirtualClock(NOW);
  const world = await World.start({ clock, recipe: "berth-1" });
  await world.join("bs-11");
  await world.import(2);
  await world.add({ endpoint: "urn:dev:3", psk: "00".repeat(20) });
  // The secret at byte 18 of a 16 byte secret: the two first cannot be named by this recipe.
  const awkward = parseRecipe(
    {
      version: 1,
      function: "sha-256",
      combine: { order: "parameters-in-secret", offset: 18 },
      parameters: [{ kind: "endpoint" }],
      token: { encoding: "base32", first: 16 },
    },
    "test",
  );
  const log = listeningLogger();
  const next = await world.restart({ recipe: awkward, log });
  assert.equal(next.table.size, 1);
  assert.equal(log.lines.filter(({ level }) => level === "error").length, 2);
});

test("timings that break B6 or B10 are refused with their numbers", () => {
  const berth = builtInRecipe("berth-1");
  const refused: [Recipe, Partial<typeof TIMING>, RegExp][] = [
    [berth, { rotateEvery: 29_999 }, /rotation\.every: 29999ms is shorter than dns\.ttl, 30s/],
    [berth, { ttl: 0 }, /dns\.ttl/],
    [berth, { lead: 4 * MINUTE }, /epochs\.lead: 4m is shorter than epochs\.skew, 5m/],
    [berth, { grace: 5 * MINUTE }, /epochs\.grace: 5m is shorter than epochs\.skew and dns\.ttl, 330s/],
    [MINUTE_RECIPE, { ttl: 2 * MINUTE, grace: 7 * MINUTE }, /its time unit, 1m, is shorter than dns\.ttl, 2m/],
  ];
  for (const [recipe, timing, message] of refused) {
    assert.throws(
      () => checkTiming(recipe, { ...TIMING, ...timing }),
      (error) => error instanceof InvalidInput && message.test(error.message),
    );
  }
  checkTiming(berth, { ...TIMING, rotateEvery: 30_000 });
});

test("a balancer does not start with a timer shorter than the TTL, nor with a zone its names are not in", async () => {
  await assert.rejects(World.start({ timing: { ...TIMING, rotateEvery: 1000 } }), /rotation\.every/);
  await assert.rejects(World.start({ uri: "coaps://bs.elsewhere.org" }), /elsewhere\.org, which is not in the zone example\.com/);
});
