import assert from "node:assert/strict";
import { test } from "node:test";
import { CoapEndpoint } from "../../src/coap/index.ts";
import { describeTree } from "../../src/device/index.ts";
import { utf8 } from "../../src/lib/bytes.ts";
import { ENDPOINT, HERE, hostAt, type Story, start } from "./client-fixture.ts";
import {
  bootstrapAccount,
  codesOf,
  DELETE_ALL,
  FINISH,
  GOOD_SCRIPT,
  PSK,
  ScriptedServer,
  write,
  writeSecurity,
  writeServer,
} from "./scripted-server.ts";
import { World } from "./world.ts";

const MINUTE = 60_000;
const V4 = { ipv4: [HERE.address], ipv6: [] };

/** A world with one server, to which the device's name points. */
function setting(script = GOOD_SCRIPT, seed = 1): { world: World; server: ScriptedServer } {
  const world = new World(seed);
  const server = new ScriptedServer(world, HERE);
  server.script = script;
  world.names.set(hostAt(world.epoch), V4);
  return { world, server };
}

function assertAsBefore({ client }: Story): void {
  assert.deepEqual(
    Object.keys(describeTree(client.tree)).filter((path) => !/^\/(0\/0|3\/0)\//.test(path)),
    [],
  );
  assert.equal(describeTree(client.tree)["/0/0/3"], "dev-1");
}

test("an inconsistent Finish gets 4.06, and the device is as it was when the session ends", async () => {
  const { world, server } = setting([DELETE_ALL, writeServer(1), FINISH]);
  const story = start(world, { maxAttempts: 1 });
  await world.run(() => server.results.length === 3, MINUTE);
  assert.deepEqual(codesOf(server.results), ["2.02", "2.04", "4.06"]);
  assertAsBefore(story);
  server.disconnect();
  assert.ok(await world.run(() => story.closed, MINUTE));
  assert.equal(story.failures[0]?.cause, "inconsistent");
  assertAsBefore(story);
  assert.equal(world.openSockets, 0);
});

test("a server that corrects what Finish complained about may finish again", async () => {
  const { world, server } = setting([DELETE_ALL, writeServer(1), FINISH, writeSecurity(1), FINISH]);
  const story = start(world);
  assert.ok(await world.run(() => story.closed, MINUTE));
  assert.deepEqual(codesOf(server.results), ["2.02", "2.04", "4.06", "2.04", "2.04"]);
  assert.equal(story.result?.number, 1);
});

test("without Finish in 247 s after the last request nothing is kept", async () => {
  const { world, server } = setting([DELETE_ALL, writeSecurity(1), writeServer(1)]);
  const story = start(world, { maxAttempts: 1 });
  await world.run(() => server.results.length === 3, MINUTE);
  const last = world.clock.now();
  assert.ok(await world.run(() => story.closed, 10 * MINUTE));
  assert.equal(story.failures[0]?.cause, "no-finish");
  assert.ok(Math.abs((story.failures[0]?.at ?? 0) - last - 247_000) <= 100);
  assertAsBefore(story);
});

test("a session that breaks off in the middle leaves nothing", async () => {
  const { world, server } = setting([DELETE_ALL, writeSecurity(1)]);
  const story = start(world, { maxAttempts: 1 });
  await world.run(() => server.results.length === 2, MINUTE);
  server.disconnect();
  assert.ok(await world.run(() => story.closed, MINUTE));
  assert.deepEqual([story.failures[0]?.cause, story.failures[0]?.detail], ["connection-lost", "closed-by-peer"]);
  assertAsBefore(story);
});

test("a session that breaks off after it replaced the bootstrap account leaves the old one, and the device comes back with it", async () => {
  for (const [replace, id] of [
    [write(bootstrapAccount(0, { key: utf8("the next key, 16") })), 0],
    [write(bootstrapAccount(9, { key: utf8("the next key, 16") })), 9],
  ] as const) {
    const { world, server } = setting([DELETE_ALL, replace, { method: "DELETE", path: ["0", id === 0 ? "1" : "0"] }]);
    const story = start(world);
    const before = story.client.tree;
    await world.run(() => server.results.length === 3, MINUTE);
    assert.deepEqual(codesOf(server.results), ["2.02", "2.04", "2.02"]);
    server.script = GOOD_SCRIPT;
    server.disconnect();
    await world.run(() => story.failures.length === 1, MINUTE);
    assert.equal(story.client.tree, before);
    assert.ok(await world.run(() => story.result !== undefined, MINUTE), "with the key it had");
    assert.equal(describeTree(story.client.tree)["/0/0/0"], describeTree(before)["/0/0/0"]);
    story.client.stop();
  }
});

test("a silent server costs 93 s, or as long as the device is willing to hear nothing", async () => {
  for (const [limits, expected] of [
    [{}, 93_000],
    [{ silence: 10_000 }, 10_000],
  ] as const) {
    const { world, server } = setting();
    server.answer = undefined;
    const story = start(world, { maxAttempts: 1, limits });
    assert.ok(await world.run(() => story.closed, 5 * MINUTE));
    assert.equal(story.failures[0]?.cause, "no-answer");
    const waited = (story.failures[0]?.at ?? 0) - 80; // the handshake's four times 20 ms
    assert.ok(waited <= expected + 600 && waited >= expected * 0.6, `${waited} of ${expected}`);
  }
});

test("where nobody answers the handshake ends in 93 s; where the host says nobody listens, at once", async () => {
  const world = new World();
  world.names.set(hostAt(world.epoch), V4);
  const story = start(world, { maxAttempts: 1 });
  assert.ok(await world.run(() => story.closed, 5 * MINUTE));
  assert.deepEqual([story.failures[0]?.cause, story.failures[0]?.at], ["handshake-timeout", 93_000]);

  world.refuse(HERE.address, HERE.port);
  const begin = world.clock.now();
  const refused = start(world, { maxAttempts: 1 });
  assert.ok(await world.run(() => refused.closed, MINUTE));
  assert.deepEqual([refused.failures[0]?.cause, refused.failures[0]?.at], ["unreachable", begin]);
  assert.equal(world.openSockets, 0);
});

test("a server with another key gets nowhere", async () => {
  const world = new World();
  const server = new ScriptedServer(world, HERE, true, () => utf8("another key, 16B"));
  world.names.set(hostAt(world.epoch), V4);
  const story = start(world, { maxAttempts: 1, limits: { silence: 10_000 } });
  assert.ok(await world.run(() => story.closed, 5 * MINUTE));
  assert.match(story.failures[0]?.cause ?? "", /^handshake-(failed|timeout)$/);
  assert.deepEqual(server.requests, []);
  assert.ok(!String(story.error).includes(Buffer.from(PSK).toString("hex")));
});

test("5.03 is honoured: the next attempt comes after Max-Age, spread by the jitter, and completes", async () => {
  const { world, server } = setting();
  server.answer = { code: "5.03", maxAge: 120 };
  world.at(60_000, () => {
    server.answer = { code: "2.04" };
  });
  const story = start(world);
  assert.ok(await world.run(() => story.closed, 5 * MINUTE));
  const [failure] = story.failures;
  assert.deepEqual([failure?.cause, failure?.maxAge, story.failures.length], ["busy", 120, 1]);
  assert.ok(failure?.retryIn !== undefined && failure.retryIn >= 120_000 && failure.retryIn < 122_000);
  assert.equal(story.result?.number, 2);
  assert.ok(story.result.elapsed >= 120_000);
});

test("5.03 without Max-Age means 60 s (RFC 7252, 5.10.5)", async () => {
  const { world, server } = setting();
  server.answer = { code: "5.03" };
  const story = start(world, { maxAttempts: 1 });
  await world.run(() => story.closed, MINUTE);
  assert.equal(story.failures[0]?.maxAge, 60);
});

test("a refused device says why, without what could confuse a terminal, and tries again later", async () => {
  const { world, server } = setting();
  server.answer = { code: "4.00", payload: utf8("Unauthorized\u001b[2J\r\n") };
  const story = start(world, { maxAttempts: 3 });
  assert.ok(await world.run(() => story.closed, 10 * MINUTE));
  assert.deepEqual(
    story.failures.map(({ cause, detail }) => [cause, detail]),
    new Array(3).fill(["refused", "4.00 Unauthorized[2J"]),
  );
  assert.match(String(story.error), /gave up after 3 attempts, the last: refused: 4\.00 Unauthorized/);
  assert.equal(story.failures[2]?.retryIn, undefined);
  assertAsBefore(story);
});

test("an answer too large to be one is a refusal", async () => {
  const { world, server } = setting([]);
  server.answer = { code: "2.04", payload: new Uint8Array(100_000) };
  const story = start(world, { maxAttempts: 1 });
  assert.ok(await world.run(() => story.closed, 10 * MINUTE));
  assert.deepEqual([story.failures[0]?.cause, story.failures[0]?.detail], ["refused", "too-large"]);
  assertAsBefore(story);
});

test("requests that overtake the 2.04 are served: they say as much", async () => {
  const { world, server } = setting([]);
  server.answer = undefined;
  const story = start(world);
  await world.run(() => server.requests.length === 1, MINUTE);
  const peer = server.requests[0]?.peer;
  assert.ok(peer !== undefined);
  for (const request of GOOD_SCRIPT) server.request(peer, request);
  assert.ok(await world.run(() => server.results.length === 4, MINUTE));
  assert.deepEqual(codesOf(server.results), ["2.02", "2.04", "2.04", "2.04"]);
  assert.ok(story.result !== undefined);
  assert.equal(story.failures.length, 0);
  story.client.stop();
});

test("after Finish the device lingers: a repeated Finish is answered, anything else refused, quiet ends it", async () => {
  const { world, server } = setting();
  server.closes = false;
  const story = start(world);
  await world.run(() => story.result !== undefined, MINUTE);
  const finished = world.clock.now();
  assert.ok(!story.closed, "the result is there before the end");
  const peer = server.requests[0]?.peer;
  assert.ok(peer !== undefined);
  await world.run(() => false, 20_000);
  server.results.length = 0;
  server.request(peer, FINISH);
  server.request(peer, DELETE_ALL);
  server.request(peer, { method: "POST", path: ["rd"] });
  await world.run(() => server.results.length === 3, MINUTE);
  assert.deepEqual(codesOf(server.results), ["2.04", "4.00", "4.00"]);
  assert.ok(story.client.tree.get(1, 0) !== undefined, "the late Delete changed nothing");
  const quiet = world.clock.now();
  assert.ok(await world.run(() => story.closed, 5 * MINUTE));
  assert.ok(world.clock.now() - quiet >= 39_000 && world.clock.now() - quiet <= 41_000);
  assert.ok(world.clock.now() - finished >= 60_000);
  assert.equal(world.openSockets, 0);
});

test("when the answer to Finish is lost, the repeated Finish is answered", async () => {
  const { world, server } = setting();
  const story = start(world);
  await world.run(() => story.result !== undefined, MINUTE);
  // The 2.04 to Finish is on its way; make it and the next ones miss.
  assert.deepEqual(server.finished, []);
  world.loss = 1;
  world.forgetInFlight();
  await world.run(() => false, 1_000);
  world.loss = 0;
  assert.ok(await world.run(() => server.finished.length === 1, MINUTE));
  assert.ok(await world.run(() => story.closed, MINUTE));
  assert.deepEqual(server.finished, [ENDPOINT]);
  assert.equal(story.attempts.length, 1);
});

test("the hold-off time of the account is waited for", async () => {
  const { world, server } = setting();
  const first = start(world);
  await world.run(() => first.closed, MINUTE);
  const tree = first.client.tree;
  assert.ok(server.finished.length === 1);
  const account = tree.get(0, 0);
  assert.ok(account !== undefined);
  const held = {
    ...account,
    resources: new Map(account.resources).set(11, { kind: "single", id: 11, value: { type: "integer", value: 7 } } as const),
  };
  const begin = world.clock.now();
  const story = start(world, { tree: tree.with(held) });
  assert.ok(await world.run(() => story.attempts.length === 1, MINUTE));
  assert.equal(world.clock.now() - begin, 7_000);
  story.client.stop();
});

test("a device that is stopped leaves no socket, no timer and its tree as it was", async () => {
  for (const moment of [0, 30, 85, 105, 1_000]) {
    const { world, server } = setting(GOOD_SCRIPT.slice(0, 3));
    const story = start(world);
    await world.run(() => false, moment);
    story.client.stop();
    story.client.stop();
    await world.run(() => false, 1_000);
    assert.deepEqual(
      [story.closed, world.openSockets, String(story.error)],
      [true, 0, "BootstrapFailed: the device was stopped"],
    );
    assert.deepEqual([...world.machines], [server]);
    assertAsBefore(story);
  }
});

test("without security: the same bootstrap over coap, but only from the address asked", async () => {
  const world = new World();
  const server = new ScriptedServer(world, { address: HERE.address, port: 5683 }, false);
  server.script = [DELETE_ALL, writeSecurity(1), writeServer(1)];
  world.names.set("bs.example.com", V4);
  const story = start(world, { recipe: "none", factory: { uri: "coap://bs.example.com" } });
  await world.run(() => server.results.length === 3, MINUTE);
  const device = server.requests[0]?.peer;
  assert.ok(device !== undefined);

  const stranger = new CoapEndpoint<{ key: string }>(
    { random: world.random },
    { send: (_peer, bytes) => world.send(bytes, { address: "10.6.6.6", port: 5683 }, device), request: () => {} },
  );
  stranger.request({ key: "device" }, FINISH, world.clock.now(), () => {});
  await world.run(() => false, 1_000);
  assert.equal(story.result, undefined);

  server.request(device, FINISH);
  assert.ok(await world.run(() => story.result !== undefined, MINUTE));
  story.client.stop();
});

test("noise from the server's own address does not hurt", async () => {
  for (const secure of [true, false]) {
    const world = new World(secure ? 2 : 3);
    const here = { address: HERE.address, port: secure ? 5684 : 5683 };
    const server = new ScriptedServer(world, here, secure);
    world.names.set("bs.example.com", V4);
    const story = start(world, { recipe: "none", factory: { uri: `${secure ? "coaps" : "coap"}://bs.example.com` } });
    for (let i = 0; i < 3_000; i++) {
      world.at(i / 10, () => {
        const noise = world.random.bytes(Math.floor(world.random.uniform() * 60));
        if (i % 3 === 0) noise[0] = 0x40 | (noise[0] ?? 0); // CoAP version 1
        if (i % 3 === 1) noise.set([22, 0xfe, 0xfd].slice(0, noise.length)); // a DTLS handshake record
        world.send(noise, here, { address: "10.9.9.9", port: 40_000 });
      });
    }
    assert.ok(await world.run(() => server.finished.length === 1, 5 * MINUTE), secure ? "coaps" : "coap");
    story.client.stop();
  }
});
