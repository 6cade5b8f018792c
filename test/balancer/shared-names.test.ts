import assert from "node:assert/strict";
import { test } from "node:test";
import type { LookupReply } from "../../src/control/index.ts";
import { endpointOf, listeningLogger, NOW, World } from "./world.ts";

const COUNT = 400;
const all = Array.from({ length: COUNT }, (_, number) => endpointOf(number));

async function crowd(options = {}): Promise<World> {
  const world = await World.start({ recipe: "ni-3", ...options });
  await world.joinAll("bs-11", "bs-12", "bs-13");
  await world.import(COUNT);
  return world;
}

/** Every device that has no configuration yet is led to an instance that is up, and may be served there. */
async function checkServed(world: World, endpoints: readonly string[] = all): Promise<void> {
  for (const endpoint of endpoints) {
    if ((await world.view(endpoint)).state === "completed") continue;
    const instance = world.resolve(endpoint) ?? "";
    assert.ok(world.alive.has(instance), `${endpoint} is led to "${instance}"`);
    const reply: LookupReply = await world.lookup(instance, endpoint);
    assert.ok("assignment" in reply, `${instance} may not serve ${endpoint}: ${JSON.stringify(reply)}`);
  }
}

/** Devices by the name they have now. */
function byName(world: World): string[][] {
  const groups = new Map<string, string[]>();
  for (const endpoint of all) groups.set(world.nameOf(endpoint), [...(groups.get(world.nameOf(endpoint)) ?? []), endpoint]);
  return [...groups.values()];
}

test("devices that share a name are allocated together, and counted (N10)", async () => {
  const log = listeningLogger();
  const world = await crowd({ log });
  const shared = byName(world).filter((group) => group.length > 1);
  assert.ok(shared.length > 20, "three digits are not enough for 400");
  for (const group of shared) {
    const homes = await Promise.all(group.map(async (endpoint) => (await world.view(endpoint)).instance));
    assert.equal(new Set(homes).size, 1);
  }
  assert.equal(world.balancer.publisher.collisions, shared.length);
  assert.ok(log.lines.some(({ message }) => /names are too many for its \d+ different tokens/.test(message)));
  await checkServed(world);
});

test("a shared name stays for the others when one of its devices completes, is removed, or gets another secret", async () => {
  const world = await crowd();
  const group = byName(world).find(({ length }) => length > 2) ?? byName(world).find(({ length }) => length === 2) ?? [];
  const [first = "", second = ""] = group;
  const instance = world.resolve(first);
  await world.tell(instance ?? "", "completed", first, "S1");
  assert.equal(world.resolve(second), instance);
  const rest = group.slice(2);
  await world.balancer.remove(second);
  for (const endpoint of rest) assert.equal(world.resolve(endpoint), instance);
  for (const endpoint of rest) await world.balancer.remove(endpoint);
  assert.equal(world.table.get(world.nameOf(first)), undefined, "the last takes it with it");
});

test("who lost its instance goes together too; over epochs, rotations and restarts all can be served", async () => {
  const world = await crowd();
  world.crash("bs-12");
  await world.pass(8000);
  await checkServed(world);
  await world.pass(26 * 60_000, 4000);
  await checkServed(world);
  await world.balancer.rotate("test");
  await checkServed(world);
  await world.join("bs-14");
  await checkServed(world);
  await world.pass(20 * 60_000, 4000);
  await checkServed(world);
  const next = await world.restart();
  for (const id of world.alive.keys()) await next.join(id);
  await checkServed(next);
});

test("a device in progress stays at its instance though its name leads elsewhere", async () => {
  const world = await crowd();
  const [one = "", other = ""] = byName(world).find(({ length }) => length > 1) ?? [];
  const instance = world.resolve(one) ?? "";
  const elsewhere = instance === "bs-11" ? "bs-12" : "bs-11";
  await world.tell(elsewhere, "commenced", one, "S1");
  assert.equal((await world.view(one)).instance, elsewhere);
  assert.equal(world.resolve(other), instance, "the others' name is not pulled away");
  await world.balancer.rotate("test");
  assert.equal((await world.view(one)).instance, elsewhere);
  world.crash(elsewhere);
  await world.pass(8000);
  assert.deepEqual([(await world.view(one)).state, world.resolve(one)], ["pending", world.resolve(other)]);
});

test("two in progress share a name that outlives its epoch: it goes with the second", async () => {
  const world = await crowd({ sessionDeadline: 3_600_000 });
  const [one = "", other = ""] = byName(world).find(({ length }) => length === 2) ?? [];
  const instance = world.resolve(one) ?? "";
  await world.tell(instance, "commenced", one, "S1");
  await world.tell(instance, "commenced", other, "S2");
  const name = world.nameOf(one, NOW);
  for (const endpoint of all) if (endpoint !== one && endpoint !== other) await world.balancer.remove(endpoint);
  await world.pass(40 * 60_000, 4000);
  assert.notEqual(world.table.get(name), undefined);
  await world.tell(instance, "completed", one, "S1");
  assert.notEqual(world.table.get(name), undefined);
  await world.tell(instance, "completed", other, "S2");
  assert.equal(world.table.get(name), undefined);
});

test("a recipe that gives all devices one name leads all to one instance, and says so", async () => {
  const log = listeningLogger();
  const recipe = {
    version: 1,
    function: "hmac-sha-256",
    parameters: [{ kind: "endpoint" as const, hashed: true }],
    token: { encoding: "base32" as const, first: 16 },
    place: { in: "path" as const },
  };
  const world = await World.start({ recipe: recipe as never, log });
  await world.joinAll("bs-11", "bs-12");
  await world.import(6);
  assert.deepEqual(world.loads().sort(), [0, 6]);
  assert.ok(log.lines.some(({ message }) => /one host name/.test(message)));
  await checkServed(world, all.slice(0, 6));
});
