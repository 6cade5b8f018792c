import assert from "node:assert/strict";
import { test } from "node:test";
import type { SecurityStore } from "../../src/bootstrap/index.ts";
import { toHex } from "../../src/lib/bytes.ts";
import { BerthError } from "../../src/lib/errors.ts";
import { decodeContent, resourceValue } from "../../src/lwm2m/index.ts";
import { assignment, configure, deletes, type LockstepDevice, type World } from "./lockstep.ts";
import { FRESH, keyIn, Shelf, settled, worldWith } from "./shelf.ts";

test("the key is in the security store before the device is answered, and the device gets the same", async () => {
  /*
   * device                    instance                    security store
   * CON POST /bs          -->           commenced
   *                                     put           -->
   *                       <--  ACK
   *                                                   <--  done
   *                       <--  CON 2.04
   *                       <--  CON DELETE /0 ...
   */
  const shelf = new Shelf();
  shelf.prompt = false;
  const world = worldWith({ main: shelf });
  const device = world.device("id-urn:dev:1");
  device.sends("POST /bs?ep=urn:dev:1");
  await settled();
  assert.deepEqual(shelf.lines, ["put urn:dev:1"]);
  assert.deepEqual(world.told(), ["commenced urn:dev:1"]);
  device.hearsNothing();
  world.passes(600);
  device.hears("ACK");
  shelf.answers();
  await settled();
  device.hears("CON 2.04");
  device.empties("ACK");
  deletes(device);
  const { payload } = device.hears("CON PUT /0/10 11542");
  assert.ok(shelf.held !== undefined);
  assert.equal(shelf.held.identity, "urn:dev:1");
  assert.equal(shelf.held.key.length, 16);
  assert.equal(keyIn(payload), toHex(shelf.held.key));
  device.answers("2.04");
  device.hears("CON PUT /1/10 11542");
  device.answers("2.04");
  device.hears("CON POST /bs");
  device.answers("2.04");
  await settled();
  assert.deepEqual(world.told(), ["completed urn:dev:1"]);
  assert.deepEqual(shelf.lines, ["put urn:dev:1"], "it stays");
  assert.ok(world.log.lines.every((line) => !line.includes(keyIn(payload))));
});

test("each session has a key of its own", async () => {
  const shelf = new Shelf();
  const world = worldWith({ main: shelf });
  const keys: string[] = [];
  for (const endpoint of ["urn:dev:1", "urn:dev:2"]) {
    world.device(`id-${endpoint}`).sends(`POST /bs?ep=${endpoint}`);
    await settled();
    keys.push(toHex(shelf.held?.key ?? new Uint8Array()));
  }
  assert.notEqual(keys[0], keys[1]);
});

test("a store that refuses, is not configured or does not answer in 10 s: 5.03, and the session fails with hand-over-failed", async () => {
  const refusing = new Shelf();
  refusing.failure = new BerthError("security-store-refused", "the store says no");
  const silent = new Shelf();
  silent.prompt = false;
  for (const [stores, detail] of [
    [{ main: refusing }, /the store says no/],
    [{}, /security store main is not configured/],
    [{ main: silent }, /no security store took it within 10 s/],
  ] as const) {
    const world = worldWith(stores as Record<string, SecurityStore>);
    const device = world.device("id-urn:dev:1");
    device.sends("POST /bs?ep=urn:dev:1");
    await settled();
    world.passes(9900);
    if (detail.source.includes("within")) {
      device.hears("ACK");
      assert.deepEqual(world.told(), ["commenced urn:dev:1"]);
      world.passes(200);
      device.hears("CON 5.03");
      assert.match(world.reports[0]?.detail ?? "", detail);
      assert.deepEqual(world.told(), ["failed urn:dev:1 hand-over-failed"]);
    } else {
      device.hears("ACK 5.03");
      assert.match(world.reports[1]?.detail ?? "", detail);
      assert.deepEqual(world.told(), ["commenced urn:dev:1", "failed urn:dev:1 hand-over-failed"]);
    }
    device.hearsNothing();
    world.log.says(/bootstrap failed .*hand-over-failed/);
    await settled();
    assert.equal(world.service.handOvers, 0, "nothing is under way any more");
  }
});

/** Up to the first request. */
async function served(world: World): Promise<LockstepDevice> {
  const device = world.device("id-urn:dev:1");
  device.sends("POST /bs?ep=urn:dev:1");
  await settled();
  device.hears("ACK 2.04");
  return device;
}

test("a session that fails puts back what the store had: refused, out of time, lost, stopped", async () => {
  const failures: Record<string, (world: World, device: LockstepDevice) => void> = {
    "request-failed": (_, device) => {
      device.hears("CON DELETE /0");
      device.answers("5.00");
    },
    "finish-failed": (_, device) => {
      configure(device);
      device.answers("4.00");
    },
    deadline: (world, device) => {
      configure(device);
      world.passes(60_100);
    },
    "connection-lost": (_, device) => device.leaves(),
    stopped: (world) => world.service.stop(world.clock.now()),
  };
  for (const [cause, fail] of Object.entries(failures)) {
    const shelf = new Shelf();
    const before = { endpoint: "urn:dev:1", identity: "old", key: new Uint8Array(16) };
    shelf.held = before;
    const world = worldWith({ main: shelf });
    const device = await served(world);
    assert.notEqual(shelf.held, before);
    fail(world, device);
    assert.equal(world.service.handOvers, 1);
    await settled();
    assert.equal(shelf.held, before, cause);
    assert.equal(world.service.handOvers, 0);
    assert.equal(world.told()[1], `failed urn:dev:1 ${cause === "stopped" ? "connection-lost" : cause}`);
  }
});

test("a newer request: the old key is taken back before the new one is handed over", async () => {
  /*
   * CON POST /bs          -->           put 1         -->
   * CON POST /bs          -->           failed cancelled, commenced
   *                       <--  ACK 2.04
   *                                     undo 1        -->
   *                                     put 2         -->  after the end of undo 1
   */
  const shelf = new Shelf();
  const before = { endpoint: "urn:dev:1", identity: "old", key: new Uint8Array(16) };
  shelf.held = before;
  const world = worldWith({ main: shelf });
  await served(world);
  const first = shelf.held;
  shelf.prompt = false;
  const device = world.device("id-urn:dev:1");
  device.sends("POST /bs?ep=urn:dev:1");
  await settled();
  assert.deepEqual(shelf.lines, ["put urn:dev:1", "undo urn:dev:1"], "one at a time");
  assert.equal(shelf.held, first);
  shelf.answers();
  await settled();
  assert.equal(shelf.held, before);
  assert.deepEqual(shelf.lines, ["put urn:dev:1", "undo urn:dev:1", "put urn:dev:1"]);
  shelf.answers();
  await settled();
  assert.notEqual(shelf.held, before);
  device.hears("ACK 2.04");
  device.hears("CON DELETE /0");
  assert.deepEqual(world.told(), ["commenced urn:dev:1", "failed urn:dev:1 cancelled", "commenced urn:dev:1"]);
});

test("a request sent again while it waits is one request; a newer one ends the wait of the first with 5.03", async () => {
  const shelf = new Shelf();
  shelf.prompt = false;
  const world = worldWith({ main: shelf });
  const device = world.device("id-urn:dev:1");
  const request = device.sends("POST /bs?ep=urn:dev:1");
  device.sendsAgain(request);
  await settled();
  world.passes(600);
  device.sendsAgain(request);
  assert.deepEqual(shelf.lines, ["put urn:dev:1"]);
  device.hears("ACK");
  device.hears("ACK");
  device.hearsNothing();
  device.sends("POST /bs?ep=urn:dev:1");
  device.hears("CON 5.03");
  device.empties("ACK");
  await settled();
  assert.deepEqual(shelf.lines, ["put urn:dev:1", "put urn:dev:1"], "the first was ended early, so there is nothing to undo");
  shelf.answers();
  await settled();
  device.hears("ACK 2.04");
  device.hears("CON DELETE /0");
  assert.deepEqual(world.told(), ["commenced urn:dev:1", "failed urn:dev:1 cancelled", "commenced urn:dev:1"]);
});

test("an association that is lost while the key is on its way: a store that took it all the same gives it back", async () => {
  const shelf = new Shelf();
  shelf.prompt = false;
  shelf.obedient = false;
  const world = worldWith({ main: shelf });
  const device = world.device("id-urn:dev:1");
  device.sends("POST /bs?ep=urn:dev:1");
  await settled();
  device.leaves();
  assert.deepEqual(world.told(), ["commenced urn:dev:1", "failed urn:dev:1 connection-lost"]);
  shelf.answers();
  await settled();
  shelf.answers();
  await settled();
  assert.deepEqual(shelf.lines, ["put urn:dev:1", "undo urn:dev:1"]);
  assert.equal(shelf.held, undefined);
  assert.equal(world.service.handOvers, 0);
});

test("a store that never comes to an end does not keep its endpoint for ever", async () => {
  const shelf = new Shelf();
  shelf.prompt = false;
  shelf.obedient = false;
  const world = worldWith({ main: shelf });
  world.device("id-urn:dev:1").sends("POST /bs?ep=urn:dev:1");
  await settled();
  world.passes(10_100);
  await settled();
  assert.equal(world.service.handOvers, 1, "it may still come to an end");
  world.passes(10_100);
  await settled();
  assert.equal(world.service.handOvers, 0);
  world.log.says(
    /error a security store has not said whether it took a fresh key.*"endpoint":"urn:dev:1","securityStore":"main"/,
  );
});

test("a store that may have taken a key and cannot be asked to give it back is an error in the log: 5.03", async () => {
  const shelf = new Shelf();
  shelf.failure = new BerthError("security-store-left-open", "it may hold a key");
  const world = worldWith({ main: shelf });
  const device = world.device("id-urn:dev:1");
  device.sends("POST /bs?ep=urn:dev:1");
  await settled();
  device.hears("ACK 5.03");
  world.log.says(
    /error a security store has not said whether it took a fresh key.*"endpoint":"urn:dev:1","securityStore":"main"/,
  );
});

test("a key that cannot be taken back is an error in the log, with endpoint and store", async () => {
  const failing = new Shelf();
  failing.undoFailure = new BerthError("security-store-unreachable", "the store is away");
  const silent = new Shelf();
  for (const [shelf, why] of [
    [failing, /the store is away/],
    [silent, /the security store has not answered for 10 s/],
  ] as const) {
    const world = worldWith({ main: shelf });
    const device = await served(world);
    if (shelf === silent) shelf.prompt = false;
    device.leaves();
    await settled();
    world.passes(10_100);
    await settled();
    world.log.says(/error a fresh key could not be taken back.*"endpoint":"urn:dev:1","securityStore":"main"/);
    world.log.says(why);
    assert.equal(world.service.handOvers, 0);
  }
});

test("two servers, two keys: when the second is not taken the first is taken back", async () => {
  const servers = [101, 102].map((shortServerId) => ({
    uri: `coaps://lwm2m${shortServerId}.example.com:5684`,
    shortServerId,
    security: { mode: "fresh-psk", identity: "{endpoint}", securityStore: shortServerId === 101 ? "main" : "other" },
  }));
  const [main, other] = [new Shelf(), new Shelf()];
  other.failure = new BerthError("security-store-refused", "no");
  const world = worldWith({ main, other }, { profiles: { default: { ...FRESH, servers } } });
  world.device("id-urn:dev:1").sends("POST /bs?ep=urn:dev:1");
  await settled();
  assert.deepEqual([main.lines, other.lines], [["put urn:dev:1", "undo urn:dev:1"], ["put urn:dev:1"]]);
  assert.equal(main.held, undefined);
  assert.deepEqual(world.told(), ["commenced urn:dev:1", "failed urn:dev:1 hand-over-failed"]);
});

test("two keys in one store are taken back the last first, so that it ends with what it had at the beginning", async () => {
  const servers = [101, 102].map((shortServerId) => ({
    uri: `coaps://lwm2m${shortServerId}.example.com:5684`,
    shortServerId,
    security: { mode: "fresh-psk", identity: `{endpoint}-${shortServerId}`, securityStore: "main" },
  }));
  const shelf = new Shelf();
  const before = { endpoint: "urn:dev:1", identity: "old", key: new Uint8Array(16) };
  shelf.held = before;
  const world = worldWith({ main: shelf }, { profiles: { default: { ...FRESH, servers } } });
  const device = await served(world);
  assert.equal(shelf.held.identity, "urn:dev:1-102");
  device.leaves();
  await settled();
  assert.equal(shelf.held, before);
});

test("a profile that does not fit is found out before any key is handed over", async () => {
  const servers = [{ ...FRESH.servers[0], serverResources: { 2: "{attributes.pmin}" } }];
  const shelf = new Shelf();
  const world = worldWith({ main: shelf }, { profiles: { default: { ...FRESH, servers } } });
  const device = world.device("id-urn:dev:1");
  device.sends("POST /bs?ep=urn:dev:1");
  device.hears('ACK 4.00 "no bootstrap config"');
  await settled();
  assert.deepEqual(shelf.lines, []);
});

test("a Pack: its key is handed over before the 2.05, and taken back when the device rejects it", async () => {
  const shelf = new Shelf();
  const world = worldWith({ main: shelf });
  const device = world.device("id-urn:dev:1");
  device.sends("GET /bspack?ep=urn:dev:1");
  device.hearsNothing();
  await settled();
  device.hears("ACK");
  const { payload } = device.hears("CON 2.05 112");
  const [security] = decodeContent(112, [], payload);
  assert.ok(security !== undefined);
  assert.deepEqual(resourceValue(security, 5, "opaque"), new Uint8Array(shelf.held?.key ?? []));
  device.empties("RST");
  await settled();
  assert.equal(shelf.held, undefined);
  assert.deepEqual(world.told(), ["commenced urn:dev:1", "failed urn:dev:1 request-failed"]);
});

test("a Pack that cannot be said is refused before any key is handed over", async () => {
  const shelf = new Shelf();
  const profile = { ...FRESH, objects: { "/3/0/15": "Europe/Berlin" } };
  const world = worldWith({ main: shelf }, { profiles: { default: profile } });
  const device = world.device("id-urn:dev:1");
  device.sends("GET /bspack?ep=urn:dev:1");
  device.hears("ACK 4.05");
  await settled();
  assert.deepEqual(shelf.lines, []);
});

test("devices do not wait for each other", async () => {
  const shelf = new Shelf();
  shelf.prompt = false;
  const world = worldWith({ main: shelf }, { assigned: [assignment("urn:dev:1"), assignment("urn:dev:2")] });
  for (const endpoint of ["urn:dev:1", "urn:dev:2"]) world.device(`id-${endpoint}`).sends(`POST /bs?ep=${endpoint}`);
  await settled();
  assert.deepEqual(shelf.lines, ["put urn:dev:1", "put urn:dev:2"]);
});
