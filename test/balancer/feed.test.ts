import assert from "node:assert/strict";
import { test } from "node:test";
import type { AssignmentEvent } from "../../src/control/index.ts";
import { endpointOf, World } from "./world.ts";

/** What an instance would hold that followed these events: its devices, each with its PSK. */
function devicesAfter(events: readonly AssignmentEvent[]): Map<string, string> {
  const devices = new Map<string, string>();
  for (const event of events) {
    if (event.type === "assign") for (const { endpoint, psk } of event.assignments) devices.set(endpoint, psk ?? "");
    if (event.type === "revoke") for (const endpoint of event.endpoints) devices.delete(endpoint);
  }
  return devices;
}

const typesOf = (events: readonly AssignmentEvent[]): string[] => events.map(({ type }) => type);

test("a stream opens with fleet, profiles and devices, says synced, and then what changes", async () => {
  const world = await World.start();
  await world.joinAll("bs-11", "bs-12");
  await world.import(4);
  await world.balancer.putProfile("meter", { version: 1 });
  const stream = world.open("bs-11");
  const opening = await stream.events();
  assert.deepEqual(typesOf(opening), ["fleet", "profile", "profile", "assign", "synced"]);
  assert.equal(devicesAfter(opening).size, 2);
  await world.balancer.putProfile("meter", { version: 2 });
  await world.leave("bs-12");
  await world.pass(5000);
  const events = await stream.events();
  assert.deepEqual(typesOf(events.slice(opening.length)), ["profile", "assign", "ping"]);
  assert.equal(devicesAfter(events).size, 4);
});

test("a completed or removed device is taken from all instances", async () => {
  const world = await World.start();
  await world.joinAll("bs-11", "bs-12");
  await world.import(4);
  const [one, two] = [world.open("bs-11"), world.open("bs-12")];
  await Promise.all([one.events(), two.events()]);
  const { instance } = await world.view(endpointOf(0));
  await world.tell(instance ?? "", "completed", endpointOf(0), "S1");
  await world.balancer.remove(endpointOf(1));
  for (const stream of [one, two]) {
    const revoked = (await stream.events()).flatMap((event) => (event.type === "revoke" ? event.endpoints : []));
    assert.deepEqual(revoked.sort(), [endpointOf(0), endpointOf(1)]);
  }
});

test("changes made while a long snapshot is written come after what they change", async () => {
  const world = await World.start();
  await world.join("bs-11");
  await world.import(3000);
  const stream = world.open("bs-11");
  await world.tell("bs-11", "completed", endpointOf(2999), "S1");
  await world.tell("bs-11", "completed", endpointOf(3), "S2");
  await world.add({ endpoint: endpointOf(2990), psk: "ee".repeat(16) });
  await world.join("bs-12");
  const { events } = stream;
  await world.pass(91_000);
  const devices = devicesAfter(await events());
  assert.equal(devices.get(endpointOf(2990)), "ee".repeat(16));
  assert.equal(devices.size, 1499, "those moved away were taken back once resolvers had forgotten");
  assert.ok(!devices.has(endpointOf(3)) && !devices.has(endpointOf(2999)));
});

test("a device that was moved is served for TTL and a minute where it was, then taken back", async () => {
  const world = await World.start();
  await world.join("bs-11");
  await world.import(2);
  const stream = world.open("bs-11");
  await world.join("bs-12");
  const moved = [0, 1].map(endpointOf).find((endpoint) => world.resolve(endpoint) === "bs-12") ?? "";
  await world.pass(89_000);
  assert.ok(devicesAfter(await stream.events()).has(moved));
  assert.ok("assignment" in (await world.lookup("bs-11", moved)));
  const restarted = devicesAfter(await world.open("bs-11").events());
  assert.ok(restarted.has(moved), "also by a stream that is opened anew");
  await world.pass(2000);
  assert.deepEqual(await world.lookup("bs-11", moved), { refused: "elsewhere" });
});

test("a device that was moved twice is served at both places for a while", async () => {
  const world = await World.start();
  await world.join("bs-11");
  await world.import(4);
  await world.joinAll("bs-12", "bs-13");
  const devices = [0, 1, 2, 3].map(endpointOf);
  // Who is at bs-13 came there from bs-11, or from there by way of bs-12.
  const served = async (id: string): Promise<boolean[]> =>
    Promise.all(devices.map(async (endpoint) => "assignment" in (await world.lookup(id, endpoint))));
  assert.deepEqual(world.loads(), [2, 1, 1]);
  assert.deepEqual(await served("bs-11"), [true, true, true, true]);
  assert.equal((await served("bs-12")).filter(Boolean).length, 2);
  await world.pass(91_000);
  for (const id of ["bs-11", "bs-12", "bs-13"]) assert.equal((await served(id)).filter(Boolean).length, id === "bs-11" ? 2 : 1);
});

test("a device that comes back to an instance is not taken from it", async () => {
  const world = await World.start();
  await world.join("bs-11");
  await world.import(2);
  const stream = world.open("bs-11");
  await world.join("bs-12");
  await world.pass(10_000);
  await world.leave("bs-12");
  await world.pass(120_000);
  assert.equal(devicesAfter(await stream.events()).size, 2);
});

test("look-ups: own, unknown, completed, elsewhere, and where a session is", async () => {
  const world = await World.start();
  await world.joinAll("bs-11", "bs-12");
  await world.import(2);
  const [a, b] = ((await world.view(endpointOf(0))).instance === "bs-11" ? [0, 1] : [1, 0]).map(endpointOf) as [string, string];
  const own = await world.lookup("bs-11", a);
  assert.equal("assignment" in own && own.assignment.endpoint, a);
  assert.deepEqual(await world.lookup("bs-11", "urn:dev:none"), { refused: "unknown" });
  assert.deepEqual(await world.lookup("bs-11", b), { refused: "elsewhere" });
  await world.tell("bs-12", "completed", b, "S1");
  assert.deepEqual(await world.lookup("bs-11", b), { refused: "completed" });
  await world.tell("bs-12", "commenced", a, "S2");
  assert.ok("assignment" in (await world.lookup("bs-12", a)), "it came there by a name that was moved");
  await assert.rejects(world.lookup("bs-13", a), /bs-13 is not registered/);
  await assert.rejects(
    async () => world.api.lookup({ params: { id: "bs-11" }, query: {}, body: {} }),
    /give an identity or an endpoint/,
  );
});

test("the stream of an instance that is lost is given up, so that nothing waits for it", async () => {
  const world = await World.start();
  await world.joinAll("bs-11", "bs-12");
  await world.import(2);
  const stream = world.open("bs-12");
  const before = (await stream.events()).length;
  world.crash("bs-12");
  await world.pass(20_000);
  await world.balancer.putProfile("meter", {});
  const after = (await stream.events()).slice(before);
  assert.ok(after.length <= 1 && after.every(({ type }) => type === "ping"), typesOf(after).join());
});
