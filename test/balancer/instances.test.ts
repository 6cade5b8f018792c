import assert from "node:assert/strict";
import { test } from "node:test";
import { type AdmissionLoad, NO_LOAD, ROUTES } from "../../src/control/index.ts";
import { NotFound } from "../../src/net/index.ts";
import { openStorage, SecretBox, type Storage } from "../../src/storage/index.ts";
import { FakeStorage } from "./fake-storage.ts";
import { deviceInput, endpointOf, MINUTE, World } from "./world.ts";

async function world3(storage?: Storage): Promise<World> {
  const world = await World.start(storage === undefined ? {} : { storage });
  await world.joinAll("bs-11", "bs-12", "bs-13");
  await world.import(30);
  return world;
}

async function devicesOf(world: World, id: string): Promise<string[]> {
  const views = await Promise.all(Array.from({ length: 30 }, (_, number) => world.view(endpointOf(number))));
  return views.filter(({ instance }) => instance === id).map(({ endpoint }) => endpoint);
}

test("an instance is lost within 7 s of its last heartbeat, and then all its devices are named elsewhere at once (B12)", async () => {
  const world = await world3();
  const theirs = await devicesOf(world, "bs-12");
  const [busy = "", ...idle] = theirs;
  await world.tell("bs-12", "commenced", busy, "S1");
  world.crash("bs-12");
  await world.pass(5000, 200);
  assert.equal(world.resolve(busy), "bs-12", "one heartbeat may come late");
  await world.pass(2000, 200);
  for (const endpoint of [busy, ...idle]) assert.match(world.resolve(endpoint) ?? "", /^bs-1[13]$/);
  assert.equal((await world.view(busy)).lastFailure, "connection-lost");
  assert.deepEqual(world.loads(), [15, 15]);
  const views = world.balancer.membership.views();
  assert.deepEqual(
    views.map(({ id, state, pending }) => [id, state, pending]),
    [
      ["bs-11", "up", 15],
      ["bs-12", "lost", 0],
      ["bs-13", "up", 15],
    ],
  );
});

function statesOf(world: World): string[] {
  return world.balancer.membership.views().map(({ id, state }) => `${id} ${state}`);
}

/** Time passes, and nobody is heard. */
async function quiet(world: World, span: number): Promise<void> {
  for (let passed = 0; passed < span; passed += 200) {
    world.clock.advance(200);
    await world.tick();
  }
}

test("a balancer that stood still, or whose clock leaps, loses no instance for it: only silence that it heard counts (B12)", async () => {
  const world = await world3();
  const before = await Promise.all(["bs-11", "bs-12", "bs-13"].map((id) => devicesOf(world, id)));
  for (const pause of [3000, 4000, 4900, 9000, 10 * MINUTE]) {
    await world.pass(2000, 200);
    // The heartbeat before was 0.8 s ago, and what was sent meanwhile is sent again later.
    await quiet(world, 800);
    world.clock.advance(pause);
    await quiet(world, 4600);
    await world.pass(200);
    assert.deepEqual(statesOf(world), ["bs-11 up", "bs-12 up", "bs-13 up"], `after ${pause} ms`);
  }
  assert.deepEqual(await Promise.all(["bs-11", "bs-12", "bs-13"].map((id) => devicesOf(world, id))), before);
});

test("an instance that dies while the balancer stands still is lost within 7 s of its waking, and no other is (B12)", async () => {
  const world = await world3();
  world.crash("bs-12");
  world.clock.advance(MINUTE);
  await world.tick();
  await world.pass(4000, 200);
  assert.deepEqual(statesOf(world), ["bs-11 up", "bs-12 up", "bs-13 up"]);
  await world.pass(3000, 200);
  assert.deepEqual(statesOf(world), ["bs-11 up", "bs-12 lost", "bs-13 up"]);
});

test("a balancer that stands still while an instance's loss waits for its turn takes no other for lost (B12)", async () => {
  const storage = new FakeStorage();
  await storage.profiles.put("default", {}, 0);
  const world = await world3(storage);
  let goOn = (): void => {};
  const held = new Promise<void>((resolve) => {
    goOn = resolve;
  });
  storage.delay = () => held;
  const imported = world.add(deviceInput(99));
  world.crash("bs-12");
  for (let passed = 0; passed < 6000; passed += 200) {
    world.clock.advance(200);
    for (const [id, boot] of world.alive) await world.beat(id, boot);
    world.balancer.tick();
  }
  world.clock.advance(9000);
  goOn();
  await imported;
  await world.balancer.idle();
  assert.deepEqual(statesOf(world), ["bs-11 up", "bs-12 up", "bs-13 up"]);
  await world.pass(7000, 200);
  assert.deepEqual(statesOf(world), ["bs-11 up", "bs-12 lost", "bs-13 up"]);
});

test("an instance that was taken for lost is told to register, and gets its share when it has proven itself (B12)", async () => {
  const world = await world3();
  world.crash("bs-12");
  await world.pass(8000);
  await assert.rejects(
    async () =>
      world.api.heartbeat({
        params: { id: "bs-12" },
        query: {},
        body: { boot: "bs-12-boot", load: NO_LOAD },
      }),
    NotFound,
  );
  await world.beat("bs-12", "bs-12-boot");
  assert.equal(world.balancer.instances.get("bs-12")?.state, "probation");
  await world.pass(11_000);
  assert.deepEqual(world.loads(), [15, 0, 15]);
  await world.pass(35 * MINUTE);
  assert.deepEqual(world.loads(), [10, 10, 10], "at the next epoch");
});

test("what an instance says after it was taken for lost is refused until it has registered; then it counts", async () => {
  const world = await world3();
  const [device = ""] = await devicesOf(world, "bs-12");
  const late = world.note("bs-12", "commenced", device, "S1");
  const done = world.note("bs-12", "completed", device, "S1");
  const boot = world.alive.get("bs-12") ?? "";
  world.crash("bs-12");
  await world.pass(8000);
  const send = (): Promise<unknown> =>
    Promise.resolve(world.api.notify({ params: { id: "bs-12" }, query: {}, body: { boot, notifications: [late, done] } }));
  await assert.rejects(send, NotFound);
  assert.equal((await world.view(device)).state, "pending");
  await world.join("bs-12", boot);
  await send();
  assert.equal((await world.view(device)).state, "completed");
});

test("a new start of an instance ends the sessions of the one before", async () => {
  const world = await world3();
  const [device = ""] = await devicesOf(world, "bs-12");
  await world.tell("bs-12", "commenced", device, "S1");
  await world.join("bs-12");
  assert.equal((await world.view(device)).state, "commenced", "registering again is no new start");
  await world.join("bs-12", "another-boot");
  assert.deepEqual([(await world.view(device)).state, world.resolve(device)], ["pending", "bs-12"]);
});

test("an instance that comes back at another address takes its names with it", async () => {
  const world = await world3();
  const index = world.balancer.instances.get("bs-12")?.index ?? -1;
  await world.api.registerInstance({
    params: { id: "bs-12" },
    query: {},
    body: { boot: "b", addresses: { ipv4: "127.0.0.99", ipv6: "::1" } },
  });
  assert.deepEqual([...(world.table.addresses.ipv4(index) ?? [])], [127, 0, 0, 99]);
  assert.equal(world.table.addresses.ipv6For(index, new Uint8Array(0), 0)?.at(-1), 1);
});

test("no device in progress is moved while its instance lives, whoever joins or leaves", async () => {
  const world = await world3();
  const busy = await devicesOf(world, "bs-11");
  for (const device of busy) await world.tell("bs-11", "commenced", device, `S-${device}`);
  await world.joinAll("bs-14", "bs-15");
  await world.leave("bs-12");
  await world.balancer.rotate("test");
  assert.deepEqual(await devicesOf(world, "bs-11"), busy);
});

test("a registration that cannot be stored is an error, and works when it is repeated", async () => {
  const storage = new FakeStorage();
  await storage.profiles.put("default", {}, 0);
  const world = await World.start({ storage });
  await world.import(4);
  storage.broken = true;
  await assert.rejects(world.join("bs-11"));
  assert.equal(world.resolve(endpointOf(1)), undefined);
  storage.broken = false;
  await world.join("bs-11");
  assert.equal(world.resolve(endpointOf(1)), "bs-11");
});

test("an instance that is just registering is listed as the control API has it", async () => {
  const storage = new FakeStorage();
  const world = await World.start({ storage });
  const views: unknown[] = [];
  storage.delay = async () =>
    void views.push(ROUTES.instances.reply.parse(await world.api.instances({ params: {}, query: {}, body: undefined })));
  await world.join("bs-11");
  assert.equal(views.length, 1);
});

test("what instances take on is shown of each, and added up over those that are up", async () => {
  const world = await world3();
  const beat = (id: string, admission: AdmissionLoad): unknown => {
    const load = { ...NO_LOAD, admission };
    return world.api.heartbeat({ params: { id }, query: {}, body: { boot: `${id}-boot`, load } });
  };
  const open = { handshakesPerSecond: 300.5, sessions: 4000, turnedAway: 0, full: false };
  const full = { handshakesPerSecond: 200, sessions: 3000, turnedAway: 17, full: true };
  await beat("bs-11", open);
  await beat("bs-12", full);
  await beat("bs-13", full);
  await world.leave("bs-13");
  const { admission } = await world.api.status({ params: {}, query: {}, body: undefined });
  assert.deepEqual(admission, { handshakesPerSecond: 500.5, sessions: 7000, turnedAway: 17, full: 1 });
  const { instances } = await world.api.instances({ params: {}, query: {}, body: undefined });
  assert.deepEqual(
    instances.map(({ load }) => load.admission),
    [open, full, full],
  );
});

test("a notification that cannot be stored changes nothing, and counts when it is repeated", async () => {
  const storage = new FakeStorage();
  await storage.profiles.put("default", {}, 0);
  const world = await world3(storage);
  const [device = ""] = await devicesOf(world, "bs-12");
  const notes = [world.note("bs-12", "commenced", device, "S1"), world.note("bs-12", "completed", device, "S1")];
  storage.broken = true;
  await assert.rejects(world.send("bs-12", notes));
  assert.deepEqual([(await world.view(device)).state, world.resolve(device)], ["pending", "bs-12"]);
  storage.broken = false;
  await world.send("bs-12", notes);
  assert.equal((await world.view(device)).state, "completed");
});

test("devices find another instance while the database is away, and it is stored when that is back", async () => {
  const storage = new FakeStorage();
  await storage.profiles.put("default", {}, 0);
  const world = await world3(storage);
  storage.broken = true;
  world.crash("bs-12");
  await world.pass(8000);
  for (let number = 0; number < 30; number++) assert.notEqual(world.resolve(endpointOf(number)), "bs-12");
  storage.broken = false;
  await world.pass(5000);
  assert.equal(storage.rows.filter(({ instance }) => instance === "bs-12").length, 0);
});

test("notifications count once: sent twice, over batches that overlap, and after a restart of the balancer", async () => {
  const storage = await openStorage({ kind: "memory" }, new SecretBox(new Uint8Array(32).fill(3)));
  await storage.profiles.put("default", {}, 0);
  const world = await world3(storage);
  const [device = ""] = await devicesOf(world, "bs-12");
  const notes = [
    world.note("bs-12", "commenced", device, "S1"),
    world.note("bs-12", "failed", device, "S1"),
    world.note("bs-12", "commenced", device, "S2"),
    world.note("bs-12", "failed", device, "S2"),
  ];
  await world.send("bs-12", notes.slice(0, 2));
  await world.send("bs-12", notes.slice(0, 2));
  await Promise.all([world.send("bs-12", notes.slice(1, 3)), world.send("bs-12", notes.slice(1))]);
  assert.deepEqual([(await world.view(device)).failures, (await world.view(device)).state], [2, "pending"]);
  const next = await world.restart();
  await next.join("bs-12");
  await next.send("bs-12", notes);
  assert.deepEqual([(await next.view(device)).failures, (await next.view(device)).state], [2, "pending"]);
  await storage.close();
});

test("a balancer that is started again has everything where it was: names, sessions, completions", async () => {
  const storage = await openStorage({ kind: "memory" }, new SecretBox(new Uint8Array(32).fill(3)));
  await storage.profiles.put("default", {}, 0);
  const world = await world3(storage);
  const [busy = "", done = ""] = await devicesOf(world, "bs-12");
  await world.tell("bs-12", "commenced", busy, "S1");
  await world.tell("bs-12", "commenced", done, "S2");
  await world.tell("bs-12", "completed", done, "S2");
  await world.leave("bs-13");
  await world.balancer.idle();
  const numbers = Array.from({ length: 30 }, (_, number) => number);
  const before = numbers.map((number) => world.resolve(endpointOf(number)));
  const next = await world.restart();
  assert.deepEqual(
    numbers.map((number) => next.resolve(endpointOf(number))),
    before,
  );
  assert.deepEqual([(await next.view(busy)).state, next.resolve(busy)], ["commenced", "bs-12"]);
  assert.deepEqual([(await next.view(done)).state, next.resolve(done)], ["completed", undefined]);
  await storage.close();
});

test("a device with a name secret and an identity of its own is found by both after a restart", async () => {
  const storage = await openStorage({ kind: "memory" }, new SecretBox(new Uint8Array(32).fill(3)));
  await storage.profiles.put("default", {}, 0);
  const world = await World.start({ storage });
  await world.join("bs-11");
  await world.add(deviceInput(1, { identity: "meter-1", secret: "ab".repeat(24), attributes: { site: "Hall A" } }));
  const names = (await world.view(endpointOf(1))).names;
  const next = await world.restart();
  await next.join("bs-11");
  assert.deepEqual((await next.view(endpointOf(1))).names, names);
  assert.notDeepEqual(names, [next.nameOf(endpointOf(1))], "not made of the PSK");
  const reply = await next.api.lookup({ params: { id: "bs-11" }, query: {}, body: { identity: "meter-1" } });
  assert.deepEqual(reply, {
    assignment: {
      endpoint: endpointOf(1),
      mode: "psk",
      identity: "meter-1",
      psk: deviceInput(1).psk,
      secret: "ab".repeat(24),
      profile: "default",
      attributes: { site: "Hall A" },
    },
  });
  assert.deepEqual(await next.api.lookup({ params: { id: "bs-11" }, query: {}, body: { identity: endpointOf(1) } }), {
    refused: "unknown",
  });
  await storage.close();
});
