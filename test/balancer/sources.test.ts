import assert from "node:assert/strict";
import { after, test } from "node:test";
import { openStorage, SecretBox } from "../../src/storage/index.ts";
import { type Certificates, makeCertificates } from "../support/https.ts";
import { needs } from "../support/tools.ts";
import { FakeStorage } from "./fake-storage.ts";
import { EVERY, Following, type FollowOptions, Lwm2mServer } from "./lwm2m-server.ts";
import { deviceInput, endpointOf, listeningLogger, World, type WorldOptions } from "./world.ts";

const skip = needs("openssl", "openssl");
const opened: { close(): unknown }[] = [];
after(() => Promise.all(opened.map((one) => one.close())));

let made: Certificates | undefined;
function certificates(): Certificates {
  made ??= makeCertificates();
  return made;
}

async function server(tls?: Parameters<Lwm2mServer["start"]>[0]): Promise<Lwm2mServer> {
  const one = await new Lwm2mServer(certificates()).start(tls);
  opened.push(one);
  return one;
}

async function follow(world: World, from: Lwm2mServer, options: Partial<FollowOptions> = {}) {
  const log = listeningLogger();
  const following = await Following.start(world, from, certificates(), { log, ...options });
  opened.push(following.follower);
  return { following, log };
}

async function site(options: WorldOptions = {}) {
  const [world, from] = [await World.start(options), await server()];
  await world.join("bs-11");
  return { world, from, ...(await follow(world, from)) };
}

/** The devices that are there, by number. */
function devices(world: World): number[] {
  const all = world.balancer.fleet.rows.flatMap((device) => (device === undefined ? [] : [Number(device.endpoint.slice(8))]));
  return all.sort((a, b) => a - b);
}

const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, index) => from + index);
type Log = ReturnType<typeof listeningLogger>;
const failures = ({ lines }: Log): unknown[] =>
  lines.filter(({ message }) => message.includes("failed")).map(({ fields }) => (fields as { code: string }).code);

test("an LwM2M server hands out secrets over authenticated HTTPS, and its devices get names (B1)", { skip }, async () => {
  const { world, from, following, log } = await site();
  from.put(1, 2);
  await following.tick();
  assert.deepEqual(devices(world), [1, 2]);
  for (const number of [1, 2]) assert.equal(world.resolve(endpointOf(number)), "bs-11");
  assert.doesNotMatch(JSON.stringify(log.lines), new RegExp(deviceInput(2).psk ?? ""));
});

test("clients of Leshan 1.x, raw public keys, and what its configuration gives a source's devices (B1)", { skip }, async () => {
  const world = await World.start();
  await world.balancer.putProfile("meter", {});
  const from = await server();
  const spki = `302a300506032b6570032100${"11".repeat(32)}`;
  from.clients.set("a", { endpoint: "a", psk: { identity: "id-a", key: "AB".repeat(16) } });
  from.clients.set("b", { endpoint: "b", tls: { mode: "rpk", details: { key: spki } } });
  const { following } = await follow(world, from, { terms: { profile: "meter", group: "north" } });
  await following.tick();
  const { fleet } = world.balancer;
  assert.equal(fleet.byIdentity("id-a")?.psk, "ab".repeat(16));
  assert.equal(fleet.byEndpoint("b")?.secret, spki);
  for (const name of ["a", "b"]) {
    const { profile, group } = fleet.byEndpoint(name)?.kind ?? {};
    assert.deepEqual({ profile, group }, { profile: "meter", group: "north" });
  }
});

test("without the client certificate, or without the token, nothing is handed out (B1)", { skip }, async () => {
  const { world, from } = await site();
  from.put(1);
  const { following, log } = await follow(world, from, { token: "another" });
  await following.tick();
  assert.deepEqual(failures(log), ["source-refused"]);
  const { strangerCa, elsewhere } = certificates();
  const stranger = await server({ ca: strangerCa });
  stranger.put(1);
  const unknown = await follow(world, stranger, { certificate: elsewhere.certificate, key: elsewhere.key });
  await unknown.following.tick();
  assert.deepEqual(failures(unknown.log), ["http-unreachable"]);
  assert.equal(stranger.calls.length, 0);
  assert.deepEqual(devices(world), []);
});

test("a server with a certificate of another CA, or for another host, is not asked, and nothing is taken (B1)", {
  skip,
}, async () => {
  const world = await World.start();
  const { strangerCa, elsewhere } = certificates();
  const misnamed = await server({ cert: elsewhere.certificate, key: elsewhere.key });
  const honest = await server();
  for (const [from, options] of [
    [misnamed, {}],
    [honest, { ca: strangerCa }],
  ] as const) {
    from.put(1);
    const { following, log } = await follow(world, from, options);
    await following.tick();
    assert.deepEqual(failures(log), ["http-untrusted"]);
    assert.equal(from.calls.length, 0);
  }
  assert.deepEqual(devices(world), []);
});

test("additions, changes and removals follow; a changed key changes the name (B1)", { skip }, async () => {
  const { world, from, following } = await site();
  from.put(...range(1, 10));
  await following.tick();
  const names = async (number: number) => (await world.view(endpointOf(number))).names;
  const before = await names(1);
  from.put(11, 12);
  from.set(1, "77".repeat(16));
  from.drop(2, 3);
  world.clock.advance(EVERY - 1);
  await following.tick();
  assert.deepEqual(devices(world), range(1, 10), "not before it is time");
  world.clock.advance(1);
  await following.tick();
  assert.deepEqual(devices(world), [1, ...range(4, 12)]);
  assert.notDeepEqual(await names(1), before);
  assert.equal(world.resolve(endpointOf(2)), undefined);
  assert.equal(world.resolve(endpointOf(12)), "bs-11");
  const { entries } = await world.balancer.audit.page({});
  const bySource = entries
    .filter(({ trigger }) => trigger === "source")
    .map(({ kind, subject, counts }) => [kind, subject, counts]);
  assert.deepEqual(bySource, [
    ["source", "leshan", { inserted: 2, updated: 1 }],
    ["removal", null, { removed: 2 }],
    ["source", "leshan", { inserted: 10, updated: 0 }],
  ]);
});

test("an identity may go from a device that goes to one that comes", { skip }, async () => {
  const storage = await openStorage({ kind: "memory" }, new SecretBox(new Uint8Array(32).fill(3)));
  await storage.profiles.put("default", {}, 0);
  const { world, from, following } = await site({ storage });
  from.put(1, 2, 3);
  await following.tick();
  from.drop(1);
  from.clients.set("x", { endpoint: "x", psk: { identity: endpointOf(1), key: "ab".repeat(16) } });
  await following.later();
  assert.equal(world.balancer.fleet.byIdentity(endpointOf(1))?.endpoint, "x");
  await storage.close();
});

test("where the server sends an ETag, 304 is no import, and what changes is seen (B1)", { skip }, async () => {
  const storage = new FakeStorage();
  await storage.profiles.put("default", {}, 0);
  const { world, from, following } = await site({ storage });
  from.tagged = true;
  from.put(1, 2);
  await following.tick();
  let writes = 0;
  storage.delay = async () => void writes++;
  await following.later();
  assert.equal(writes, 0);
  const [first, second] = from.calls;
  assert.equal(first, undefined);
  assert.match(second ?? "", /^".*"$/);
  from.put(3);
  await following.later();
  assert.deepEqual(devices(world), [1, 2, 3]);
});

test("without an ETag what is the same makes no writes: as a whole, in another order, and after a restart (B1)", {
  skip,
}, async () => {
  const storage = new FakeStorage();
  await storage.profiles.put("default", {}, 0);
  const { world, from, following } = await site({ storage });
  from.put(1, 2, 3);
  await following.tick();
  let writes = 0;
  storage.delay = async () => void writes++;
  await following.later();
  from.drop(1);
  from.put(1);
  await following.later();
  assert.equal(writes, 0);
  const again = await world.restart();
  writes = 0;
  await (await follow(again, from)).following.tick();
  assert.deepEqual(devices(again), [1, 2, 3]);
  assert.equal(writes, 0);
});

test("an outage, 5xx and nonsense leave the last known devices; and the log says why (B1)", {
  skip,
}, async () => {
  const { world, from, following, log } = await site();
  from.put(1, 2);
  await following.tick();
  const secret = "5ec7e7".repeat(8);
  for (const instead of [
    { status: 500, body: secret },
    { status: 200, body: `[{"endpoint":"${secret}` },
    { status: 200, body: `{"clients":"${secret}"}` },
    { status: 200, body: `[{"endpoint":"urn:dev:1"},${secret}]` },
    { status: 302 },
    { status: 204 },
  ]) {
    from.instead = instead;
    await following.muchLater();
  }
  await from.close();
  await following.muchLater();
  const wanted = [
    "source-failed",
    "source-malformed",
    "source-malformed",
    "source-malformed",
    "source-refused",
    "source-refused",
  ];
  assert.deepEqual(failures(log), [...wanted, "http-unreachable"]);
  assert.doesNotMatch(JSON.stringify(log.lines), new RegExp(secret));
  assert.deepEqual(devices(world), [1, 2]);
  await world.pass(1000);
  assert.equal(world.resolve(endpointOf(1)), "bs-11");
});

test("the outage may last over a restart of the balancer, and later the devices go on following (B1)", { skip }, async () => {
  const storage = await openStorage({ kind: "memory" }, new SecretBox(new Uint8Array(32).fill(3)));
  await storage.profiles.put("default", {}, 0);
  const { world, from, following } = await site({ storage });
  from.put(...range(1, 10));
  await following.tick();
  from.instead = { status: 503 };
  const again = await world.restart();
  await again.join("bs-11");
  const { following: after, log } = await follow(again, from);
  await after.tick();
  assert.deepEqual(failures(log), ["source-failed"]);
  assert.deepEqual(devices(again), range(1, 10));
  assert.equal(again.resolve(endpointOf(7)), "bs-11");
  from.instead = undefined;
  from.drop(7);
  await after.later();
  assert.deepEqual(devices(again), [...range(1, 6), 8, 9, 10], "it knows which devices it brought before the restart");
  assert.equal(log.lines.at(-1)?.message, "the source of devices answers again");
  await storage.close();
});

test("a source that fails is asked less and less often", { skip }, async () => {
  const { from, following, world } = await site();
  from.instead = { status: 503 };
  const asked: number[] = [];
  for (let seconds = 0; seconds <= 30 * 60; seconds += 30) {
    const before = from.calls.length;
    await following.tick();
    if (from.calls.length > before) asked.push(seconds);
    world.clock.advance(EVERY);
  }
  assert.deepEqual(asked, [0, 30, 90, 210, 450, 930, 1530]);
});

test("devices that came from elsewhere are left alone: not changed, and not removed (B1)", { skip }, async () => {
  const { world, from, following, log } = await site();
  await world.import(3, 1);
  from.put(1, ...range(4, 9));
  from.set(2, "77".repeat(16));
  await following.tick();
  assert.equal(world.balancer.fleet.byEndpoint(endpointOf(2))?.psk, deviceInput(2).psk);
  const reason = "it came from elsewhere, with other credentials; it is left as it is";
  const told = log.lines.find(({ message }) => message.includes("no use"))?.fields as { entries: unknown };
  assert.deepEqual(told.entries, [{ endpoint: endpointOf(2), reason }]);
  from.drop(1, 2, 9);
  await following.later();
  assert.deepEqual(devices(world), range(1, 8));
});

test("a list that has shrunk by more than 30 % is held until somebody confirms it (B1)", { skip }, async () => {
  const { world, from, following } = await site();
  from.put(...range(1, 20));
  await following.tick();
  from.drop(...range(1, 7));
  from.put(21);
  await following.later();
  assert.deepEqual(devices(world), range(1, 21), "what comes is taken, what goes is held");
  for (let hours = 0; hours < 3; hours++) await following.muchLater();
  assert.deepEqual(devices(world), range(1, 21), "for as long as it takes");
  assert.deepEqual(
    world.balancer.brake.held.map(({ what, confirmed }) => [what, confirmed]),
    [["source leshan", false]],
  );
  await world.balancer.brake.confirm();
  from.put(...range(1, 7));
  await following.later();
  assert.deepEqual(world.balancer.brake.held, [], "when they are there again it is forgotten, confirmed or not");
  from.drop(...range(1, 7));
  await following.later();
  assert.deepEqual(devices(world), range(1, 21));
  await world.balancer.brake.confirm();
  from.drop(8);
  await following.later();
  assert.deepEqual(devices(world), range(1, 21), "more has gone than was confirmed");
  await world.balancer.brake.confirm();
  await following.later();
  assert.deepEqual(devices(world), range(9, 21));
});

test("an empty list is believed when somebody confirms it, however few there were (B1)", { skip }, async () => {
  const { world, from, following } = await site();
  from.put(1, 2);
  await following.tick();
  from.drop(1, 2);
  for (let hours = 0; hours < 3; hours++) await following.muchLater();
  assert.deepEqual(devices(world), [1, 2]);
  const [held] = world.balancer.brake.held;
  assert.match(held?.explanation ?? "", /an empty list is taken for a fault/);
  await world.balancer.brake.confirm();
  await following.later();
  assert.deepEqual(devices(world), []);
});

test("entries that are no use are said once with their reasons, the rest is taken, and a device keeps its last good key (B1)", {
  skip,
}, async () => {
  const { world, from, following, log } = await site();
  from.put(1, 2);
  await following.tick();
  from.set(1, "abcd");
  from.clients.set("c", { endpoint: "c", tls: { mode: "x509" } });
  from.clients.set("d", {
    endpoint: "d",
    tls: { mode: "psk", details: { identity: "d", key: "no hex at all, but it is secret!" } },
  });
  from.put(3);
  await following.later();
  await following.later();
  assert.deepEqual(devices(world), [1, 2, 3]);
  assert.equal(world.balancer.fleet.byEndpoint(endpointOf(1))?.psk, deviceInput(1).psk);
  const told = log.lines.filter(({ message }) => message.includes("no use")).map(({ fields }) => fields);
  assert.deepEqual(told, [
    {
      source: "leshan",
      rejected: 3,
      new: 3,
      entries: [
        { endpoint: "c", reason: "x509: a certificate is no secret that names could be made of; import it with a secret" },
        { endpoint: endpointOf(1), reason: "psk has 2 bytes, at least 16 are needed" },
        { endpoint: "d", reason: "psk: only the hex digits 0-9 and a-f are allowed" },
      ],
    },
  ]);
});

test("what the balancer would not take is tried again, also where nothing else has changed", { skip }, async () => {
  const world = await World.start();
  const from = await server();
  from.tagged = true;
  from.put(1);
  const { following } = await follow(world, from, { terms: { profile: "meter" } });
  await following.tick();
  assert.deepEqual(devices(world), []);
  await world.balancer.putProfile("meter", {});
  await following.later();
  assert.deepEqual(devices(world), [1]);
});

test("while the database is away nothing is lost: the next answer is taken", { skip }, async () => {
  const storage = new FakeStorage();
  await storage.profiles.put("default", {}, 0);
  const { world, from, following, log } = await site({ storage });
  from.put(1);
  storage.broken = true;
  await following.tick();
  assert.equal(failures(log).length, 1);
  storage.broken = false;
  await following.later();
  assert.deepEqual(devices(world), [1]);
});

test("what an operator removes the source brings back, be it its own or of elsewhere before", { skip }, async () => {
  const { world, from, following } = await site();
  from.tagged = true;
  await world.import(1, 3);
  from.put(1, 2);
  from.set(3, "77".repeat(16));
  await following.tick();
  await world.balancer.remove(endpointOf(3));
  await following.later();
  assert.equal(world.balancer.fleet.byEndpoint(endpointOf(3))?.psk, "77".repeat(16));
  await world.balancer.remove(endpointOf(1));
  await following.later();
  assert.deepEqual(devices(world), [1, 2, 3]);
});
