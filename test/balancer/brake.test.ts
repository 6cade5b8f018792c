import assert from "node:assert/strict";
import { test } from "node:test";
import type { PublicationControl, PublicationStatus } from "../../src/control/index.ts";
import { deviceInput, endpointOf, listeningLogger, MINUTE, World, type WorldOptions } from "./world.ts";

/** Devices with a secret of their own, which is not that of before. */
const rekeyed = (count: number, from = 0) =>
  Array.from({ length: count }, (_, index) => deviceInput(from + index, { psk: `ff${deviceInput(from + index).psk?.slice(2)}` }));

async function site(devices: number, options: WorldOptions = {}) {
  const log = listeningLogger();
  const world = await World.start({ log, ...options });
  await world.join("bs-11");
  await world.import(devices);
  return { world, log };
}

async function audited(world: World): Promise<unknown[]> {
  const { entries } = await world.balancer.audit.page({});
  return entries
    .filter(({ kind }) => kind === "held" || kind === "confirmed" || kind === "fenced")
    .map(({ kind, trigger, subject }) => [kind, trigger, subject])
    .reverse();
}

const status = (world: World) => world.api.status({ params: {}, query: {}, body: undefined });
const confirm = (world: World) => world.api.confirm({ params: {}, query: {}, body: undefined });

test("an import that changes more than 30 % of the live names is held: nothing of it happens until somebody confirms it", async () => {
  const { world, log } = await site(20);
  await assert.rejects(world.add(...rekeyed(7), deviceInput(20)), {
    code: "held",
    message: /nothing of it was taken: it would give 7 of 20 devices with names other ones.*--confirm/,
  });
  assert.equal(world.balancer.fleet.byEndpoint(endpointOf(20)), undefined, "nor is what is new");
  for (let number = 0; number < 20; number++) assert.equal(world.resolve(endpointOf(number)), "bs-11");
  const { held } = await status(world);
  assert.deepEqual(
    held.map(({ what, explanation, confirmed }) => [what, explanation, confirmed]),
    [["import", "it would give devices other names, as it changes their secrets: 7 of 20 devices with names (35 %)", false]],
  );
  assert.equal(log.lines.filter(({ level, message }) => level === "error" && message.startsWith("held")).length, 1);
  const { confirmed } = await confirm(world);
  assert.deepEqual(
    confirmed.map(({ what }) => what),
    ["import"],
  );
  const { updated, inserted } = await world.add(...rekeyed(7), deviceInput(20));
  assert.deepEqual([updated, inserted], [7, 1]);
  assert.equal(world.resolve(endpointOf(0)), undefined, "the name of the old secret");
  assert.deepEqual(await audited(world), [
    ["held", "operator", "import"],
    ["confirmed", "operator", "import"],
  ]);
  assert.deepEqual(await confirm(world), { confirmed: [] }, "nothing more is held");
});

test("what is held and not asked for again is forgotten after ten minutes, and so is its confirmation", async () => {
  const { world } = await site(20);
  await assert.rejects(world.add(...rekeyed(7)), { code: "held" });
  await world.pass(10 * MINUTE, MINUTE);
  assert.deepEqual((await status(world)).held, []);
  await assert.rejects(world.add(...rekeyed(7)), { code: "held" });
  await confirm(world);
  await world.pass(10 * MINUTE, MINUTE);
  await assert.rejects(world.add(...rekeyed(7)), { code: "held" });
});

test("pieces that come within ten minutes are one stroke, and one that was announced whole is held at its first piece", async () => {
  const { world } = await site(20);
  await world.add(...rekeyed(6));
  await assert.rejects(world.add(...rekeyed(1, 6)), { code: "held" });
  await world.pass(10 * MINUTE, MINUTE);
  await world.add(...rekeyed(1, 6));
  await world.pass(10 * MINUTE, MINUTE);
  await assert.rejects(world.balancer.import(rekeyed(1, 7), { renames: 13 }), { code: "held", message: /13 of 20/ });
});

test("an import may be confirmed beforehand, and the audit log says so once", async () => {
  const { world } = await site(20);
  await assert.rejects(world.add(...rekeyed(20)), { code: "held" });
  for (const from of [0, 10]) await world.balancer.import(rekeyed(10, from), { renames: 20, confirm: true });
  assert.deepEqual((await status(world)).held, []);
  assert.deepEqual(await audited(world), [
    ["held", "operator", "import"],
    ["confirmed", "operator", "import"],
  ]);
  const again = Array.from({ length: 20 }, (_, number) => deviceInput(number));
  await assert.rejects(world.add(...again), { code: "held" }, "that was for this import alone");
});

test("a plan of an import counts the names that would change, and changes nothing", async () => {
  const { world } = await site(20);
  await world.tell("bs-11", "commenced", endpointOf(0), "s");
  await world.tell("bs-11", "completed", endpointOf(0), "s");
  const { renamed, inserted, updated } = await world.balancer.import([...rekeyed(20), deviceInput(20)], { plan: true });
  assert.deepEqual([renamed, inserted, updated], [19, 0, 0], "one that completed has no name");
  assert.equal(world.resolve(endpointOf(1)), "bs-11");
  assert.equal(world.balancer.fleet.byEndpoint(endpointOf(20)), undefined);
});

test("new devices, the same secrets again, and other profiles and groups are never held", async () => {
  const { world } = await site(20);
  await world.balancer.putProfile("meter", {});
  const { updated } = await world.add(...Array.from({ length: 20 }, (_, number) => deviceInput(number, { profile: "meter" })));
  assert.equal(updated, 20);
  assert.equal((await world.import(100, 20)).inserted, 100);
});

test("of fewer than ten a share says nothing, and without names nothing is live", async () => {
  const { world } = await site(9);
  await world.add(...rekeyed(9));
  const nowhere = await World.start();
  await nowhere.import(100);
  await nowhere.add(...rekeyed(100));
});

test("the share is what the configuration says", async () => {
  const { world } = await site(20, { brake: 0.1 });
  await world.add(...rekeyed(2));
  await assert.rejects(world.add(...rekeyed(1, 2)), { code: "held" });
  const free = await site(20, { brake: 1 });
  await free.world.add(...rekeyed(20));
});

test("epochs, rotation, devices, lost and drained instances, and an operator who removes one by one are not held (B7, B12, B15)", async () => {
  const { world } = await site(20);
  await world.joinAll("bs-12", "bs-13");
  const everyone = (): unknown[] => Array.from({ length: 20 }, (_, number) => world.resolve(endpointOf(number)));
  await world.pass(40 * MINUTE);
  assert.ok(everyone().every((instance) => instance !== undefined));
  await world.balancer.rotate("test");
  await world.balancer.override("bs-12", { draining: true });
  assert.ok(everyone().every((instance) => instance !== "bs-12"));
  world.crash("bs-13");
  await world.pass(7000);
  assert.ok(everyone().every((instance) => instance === "bs-11"));
  for (let number = 0; number < 10; number++) {
    await world.tell("bs-11", "commenced", endpointOf(number), `s${number}`);
    await world.tell("bs-11", "completed", endpointOf(number), `s${number}`);
  }
  for (let number = 10; number < 20; number++) assert.equal(await world.balancer.remove(endpointOf(number)), true);
  assert.deepEqual((await status(world)).held, []);
  assert.deepEqual(await audited(world), []);
});

test("when every instance looks dead no name is withdrawn, and the log and the status say so (fail open)", async () => {
  const { world, log } = await site(20);
  await world.join("bs-12");
  assert.deepEqual((await status(world)).warnings, []);
  for (const id of ["bs-11", "bs-12"]) world.crash(id);
  await world.pass(MINUTE);
  for (let number = 0; number < 20; number++) assert.notEqual(world.resolve(endpointOf(number)), undefined);
  assert.ok(log.lines.some(({ level, message }) => level === "error" && message.startsWith("no instance is left: names stay")));
  const { warnings, instances } = await status(world);
  assert.equal(instances, 0);
  assert.deepEqual(warnings, [
    "no instance serves: 20 names stay as they are, though nobody may answer there, until one registers",
  ]);
  await world.pass(30 * MINUTE, MINUTE);
  assert.notEqual(world.resolve(endpointOf(3)), undefined, "the next epoch's names come all the same");
  log.lines.length = 0;
  const again = await world.restart({ log });
  assert.ok(log.lines.some(({ level, message }) => level === "error" && message.startsWith("no instance serves: ")));
  assert.notEqual(again.resolve(endpointOf(3)), undefined, "over a restart too");
  assert.equal((await status(again)).warnings.length, 1);
  await again.join("bs-11");
  assert.deepEqual((await status(again)).warnings, []);
});

test("what the registry holds is shown and confirmed with the rest, and that another balancer leads is in the audit log (R6)", async () => {
  const following: PublicationStatus = {
    registry: "rfc2136",
    state: "following",
    names: 20,
    waiting: 0,
    since: null,
    lastLag: null,
    servers: [],
    explanation: null,
  };
  let view = following;
  let compared = 0;
  const publication: PublicationControl = {
    view: () => view,
    confirm: async () => {
      const held = view.state === "held";
      view = following;
      return held;
    },
    compare: async () => void compared++,
  };
  const { world } = await site(20, { publication });
  assert.deepEqual((await status(world)).publication, following);
  view = { ...following, state: "held", since: 5, explanation: "12 of 20 names would be removed" };
  await world.pass(3000);
  const held = { what: "registry", explanation: "12 of 20 names would be removed", since: 5, confirmed: false };
  assert.deepEqual((await status(world)).held, [held]);
  assert.deepEqual(await confirm(world), { confirmed: [{ ...held, confirmed: true }] });
  view = { ...following, state: "fenced", explanation: "term 3 owns the zone" };
  await world.pass(3000);
  await world.api.compare({ params: {}, query: {}, body: undefined });
  assert.equal(compared, 1);
  assert.deepEqual(await audited(world), [
    ["held", "balancer", "registry"],
    ["confirmed", "operator", "registry"],
    ["fenced", "balancer", "registry"],
  ]);
});
