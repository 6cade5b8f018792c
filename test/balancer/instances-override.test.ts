import assert from "node:assert/strict";
import { test } from "node:test";
import type { OverrideChange, OverrideReply } from "../../src/control/index.ts";
import { endpointOf, listeningLogger, MINUTE, World, type WorldOptions } from "./world.ts";

async function world3(options: WorldOptions = {}): Promise<World> {
  const world = await World.start(options);
  await world.joinAll("bs-11", "bs-12", "bs-13");
  await world.import(30);
  return world;
}

async function override(world: World, id: string, body: OverrideChange): Promise<OverrideReply> {
  return world.api.overrideInstance({ params: { id }, query: {}, body });
}

function stateOf(world: World, id: string): string | undefined {
  return world.balancer.instances.get(id)?.state;
}

function pendingOf(world: World, id: string): number | undefined {
  return world.balancer.membership.views().find((view) => view.id === id)?.pending;
}

async function atInstance(world: World, id: string): Promise<string[]> {
  const views = await Promise.all(Array.from({ length: 30 }, (_, number) => world.view(endpointOf(number))));
  return views.filter(({ instance }) => instance === id).map(({ endpoint }) => endpoint);
}

test("an instance that stutters moves devices a bounded number of times (B12)", async () => {
  const log = listeningLogger();
  const world = await world3({ log });
  world.crash("bs-12");
  for (let beat = 0; beat < 50; beat++) {
    await world.pass(6000);
    await world.beat("bs-12", "bs-12-boot");
    world.crash("bs-12");
  }
  const moves = log.lines.filter(({ fields }) => ((fields as { moved?: number }).moved ?? 0) > 0);
  const lost = moves.filter(({ message }) => message.startsWith("instance is lost"));
  assert.equal(lost.length, 1, "five minutes of gaps of 6 s move its devices away once, and none back");
  assert.deepEqual(world.loads(), [15, 15]);
});

test("a draining instance gets no names and keeps its sessions; it is drained when nothing leads to it (B15)", async () => {
  const world = await world3();
  const [busy = ""] = await atInstance(world, "bs-12");
  await world.tell("bs-12", "commenced", busy, "S1");
  const { moved, warning } = await override(world, "bs-12", { draining: true });
  assert.deepEqual([moved, warning, stateOf(world, "bs-12"), pendingOf(world, "bs-12")], [9, null, "draining", 0]);
  assert.equal(world.resolve(busy), "bs-12");
  await world.pass(60_000);
  await world.tell("bs-12", "completed", busy, "S1");
  await world.pass(60_000);
  assert.equal(stateOf(world, "bs-12"), "draining", "resolvers may lead to it for the TTL and a minute");
  await world.pass(32_000);
  assert.equal(stateOf(world, "bs-12"), "drained");
  await override(world, "bs-12", { draining: false });
  assert.deepEqual([stateOf(world, "bs-12"), (pendingOf(world, "bs-12") ?? 0) >= 9], ["up", true]);
});

test("a device whose session fails on a draining instance goes to another (B15)", async () => {
  const world = await world3();
  const [busy = ""] = await atInstance(world, "bs-12");
  await world.tell("bs-12", "commenced", busy, "S1");
  await override(world, "bs-12", { draining: true });
  await world.tell("bs-12", "failed", busy, "S1");
  await world.pass(1000);
  assert.match(world.resolve(busy) ?? "", /^bs-1[13]$/);
});

test("the last instance that serves keeps its names when it is drained, and the answer says so", async () => {
  const log = listeningLogger();
  const world = await World.start({ log });
  await world.join("bs-11");
  await world.import(4);
  const { moved, warning } = await override(world, "bs-11", { draining: true });
  assert.equal(moved, 0);
  assert.match(warning ?? "", /no other instance serves/);
  assert.equal(world.resolve(endpointOf(1)), "bs-11");
  await world.join("bs-12");
  assert.equal(world.resolve(endpointOf(1)), "bs-12", "the first other one takes them");
});

test("weight 0 gives an instance no names, over a restart of the balancer too, until it is measured again (B11)", async () => {
  const world = await world3();
  await override(world, "bs-12", { weight: 0 });
  assert.deepEqual([pendingOf(world, "bs-12"), stateOf(world, "bs-12")], [0, "up"]);
  const next = await world.restart();
  await next.joinAll("bs-11", "bs-12", "bs-13");
  await next.balancer.rotate("test");
  assert.equal(pendingOf(next, "bs-12"), 0);
  await override(next, "bs-12", { weight: null });
  assert.equal(pendingOf(next, "bs-12"), 10);
});

test("an override of weight moves only what has to move (B11)", async () => {
  const world = await world3();
  const { moved } = await override(world, "bs-12", { weight: 2 });
  assert.equal(moved, 5);
  assert.deepEqual(world.loads().toSorted(), [15, 7, 8].toSorted());
});

test("three devices failing in a row take an instance out; when two would be out of three the fleet is to blame", async () => {
  const log = listeningLogger();
  const world = await world3({ log });
  const failOn = async (id: string): Promise<void> => {
    for (const device of (await atInstance(world, id)).slice(0, 3)) {
      await world.tell(id, "commenced", device, `S-${device}`);
      await world.tell(id, "failed", device, `S-${device}`);
    }
  };
  await failOn("bs-12");
  assert.deepEqual([stateOf(world, "bs-12"), pendingOf(world, "bs-12")], ["probation", 0]);
  await failOn("bs-13");
  assert.equal(stateOf(world, "bs-13"), "up");
  const warnings = log.lines.filter(({ level }) => level === "warn").map(({ message }) => message);
  assert.ok(warnings.some((message) => /taken out/.test(message)));
  assert.ok(warnings.some((message) => /it stays/.test(message)));
});

test("a device that begins anew again and again is no crash loop", async () => {
  const world = await world3();
  for (const device of (await atInstance(world, "bs-12")).slice(0, 5)) {
    await world.tell("bs-12", "commenced", device, `S-${device}`);
    await world.send("bs-12", [{ ...world.note("bs-12", "failed", device, `S-${device}`), cause: "cancelled" }]);
  }
  assert.equal(stateOf(world, "bs-12"), "up");
});

test("an instance that fails again after its probation is taken out again, for longer; of two instances one can be", async () => {
  const world = await World.start();
  await world.joinAll("bs-11", "bs-12");
  await world.import(30);
  let session = 0;
  const failThree = async (): Promise<void> => {
    for (const device of (await atInstance(world, "bs-12")).slice(0, 3)) {
      await world.tell("bs-12", "commenced", device, `S-${++session}`);
      await world.tell("bs-12", "failed", device, `S-${session}`);
    }
  };
  /** Seconds until it is up again. */
  const backAfter = async (): Promise<number> => {
    for (let seconds = 0; ; seconds++) {
      if (stateOf(world, "bs-12") === "up") return seconds;
      assert.ok(seconds < 300);
      await world.pass(1000);
    }
  };
  await failThree();
  assert.deepEqual([stateOf(world, "bs-12"), pendingOf(world, "bs-12")], ["probation", 0]);
  const first = await backAfter();
  await world.balancer.rotate("test");
  await failThree();
  assert.equal(stateOf(world, "bs-12"), "probation");
  assert.ok((await backAfter()) >= 2 * first - 1, "each time it takes twice as long");
});

test("by policy at-once an instance that is back takes its share when its probation is over, else at the next epoch (B11)", async () => {
  for (const [onReturn, share] of [
    ["at-once", 15],
    ["at-epoch", 0],
  ] as const) {
    const world = await World.start({ returning: { onReturn } });
    await world.joinAll("bs-11", "bs-12");
    await world.import(30);
    world.crash("bs-12");
    await world.pass(8000);
    await world.join("bs-12");
    assert.deepEqual([stateOf(world, "bs-12"), pendingOf(world, "bs-12")], ["probation", 0]);
    await world.pass(12_000);
    assert.deepEqual([stateOf(world, "bs-12"), pendingOf(world, "bs-12")], ["up", share]);
    await world.pass(26 * 60_000, 4000);
    assert.equal(pendingOf(world, "bs-12"), 15);
  }
});

test("all instances lost at once: names stay, and the first that is back serves at once", async () => {
  const world = await world3();
  for (const id of ["bs-11", "bs-12", "bs-13"]) world.crash(id);
  await world.pass(8000);
  for (let number = 0; number < 30; number++) assert.notEqual(world.resolve(endpointOf(number)), undefined);
  await world.join("bs-12");
  assert.equal(stateOf(world, "bs-12"), "up");
  for (let number = 0; number < 30; number++) assert.equal(world.resolve(endpointOf(number)), "bs-12");
});

test("one on probation is taken up when nobody else serves (B12)", async () => {
  const world = await world3();
  await world.leave("bs-13");
  world.crash("bs-12");
  await world.pass(8000);
  await world.join("bs-12");
  assert.equal(stateOf(world, "bs-12"), "probation");
  await world.leave("bs-11");
  assert.deepEqual([stateOf(world, "bs-12"), pendingOf(world, "bs-12")], ["up", 30]);
});

test("an instance that joins regenerates names where the configuration says so", async () => {
  const log = listeningLogger();
  const world = await World.start({ log, returning: { rotateOnJoin: true } });
  await world.join("bs-11");
  await world.balancer.idle();
  await world.import(30);
  await world.join("bs-12");
  await world.balancer.idle();
  assert.deepEqual(world.loads(), [15, 15]);
  const reasons = log.lines.filter(({ message }) => message === "names are regenerated").map(({ fields }) => fields);
  assert.equal((reasons.at(-1) as { reason: string }).reason, "instance bs-12 joined");
  assert.equal(world.clock.now() % MINUTE, 0, "without time passing");
});
