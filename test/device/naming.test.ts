import assert from "node:assert/strict";
import { test } from "node:test";
import { epochAt, parseRecipe } from "../../src/naming/index.ts";
import { BERTH_1, ENDPOINT, HERE, hostAt, start } from "./client-fixture.ts";
import { ScriptedServer } from "./scripted-server.ts";
import { World } from "./world.ts";

const MINUTE = 60_000;
const V4 = { ipv4: [HERE.address], ipv6: [] };

test("a device computes its name, finds its server, and is configured (D1, D2)", async () => {
  const world = new World();
  const server = new ScriptedServer(world, HERE);
  const host = hostAt(world.epoch);
  world.names.set(host, V4);
  const story = start(world);
  assert.ok(await world.run(() => story.closed, MINUTE));
  assert.deepEqual(world.asked, [host]);
  assert.deepEqual(server.serverNames, [host]);
  const [request] = server.requests;
  assert.deepEqual(
    [request?.method, request?.path, request?.query, request?.uriHost],
    ["POST", ["bs"], [`ep=${ENDPOINT}`, "pct=112"], host],
  );
  assert.deepEqual(server.finished, [ENDPOINT]);
  assert.equal(story.result?.kind, "own");
  assert.equal(story.result?.number, 1);
  assert.equal(story.result?.address, HERE.address);
  assert.ok(story.client.tree.get(1, 0) !== undefined && story.client.tree === story.result?.tree);
  assert.equal(world.openSockets, 0);
});

test("path and query of the static URI go before /bs and ep, and the token may stand in them (N5)", async () => {
  const recipe = parseRecipe({ ...BERTH_1, place: { in: "query", key: "t" } });
  const world = new World();
  const server = new ScriptedServer(world, HERE);
  world.names.set("bs.example.com", V4);
  const story = start(world, { recipe, factory: { uri: "coaps://bs.example.com/tenant%20a?x=1" } });
  assert.ok(await world.run(() => story.closed, MINUTE));
  const [request] = server.requests;
  assert.deepEqual(request?.path, ["tenant a", "bs"]);
  assert.match(request?.query.join("&") ?? "", /^x=1&t=[a-z2-7]{16}&ep=urn:dev:1&pct=112$/);
});

test("a 1.0 client sends no pct; without a recipe the static URI is used", async () => {
  const world = new World();
  const server = new ScriptedServer(world, HERE);
  const story = start(world, { recipe: "none", version: "1.0", factory: { uri: "coaps://10.0.0.1" } });
  assert.ok(await world.run(() => story.closed, MINUTE));
  assert.deepEqual(server.requests[0]?.query, [`ep=${ENDPOINT}`]);
  assert.equal(server.requests[0]?.uriHost, undefined, "an address is no host name");
  assert.deepEqual(server.serverNames, [undefined]);
});

test("the URI is formed just before each request: a retry after the epoch's end uses the new name (D3)", async () => {
  const world = new World();
  world.epoch = Date.UTC(2026, 0, 1, 10, 29, 50);
  const [before, after] = [hostAt(world.epoch), hostAt(world.epoch + MINUTE)];
  world.names.set(before, { ipv4: ["10.0.0.9"], ipv6: [] }); // nobody answers there
  world.names.set(after, V4);
  new ScriptedServer(world, HERE);
  const story = start(world, { limits: { silence: 15_000 } });
  assert.ok(await world.run(() => story.closed, 2 * MINUTE));
  assert.deepEqual(world.asked, [before, after]);
  assert.deepEqual(
    story.attempts.map(({ kind }) => kind),
    ["own", "own"],
  );
});

test("each attempt resolves the name afresh, and so follows it to another instance (D7)", async () => {
  const world = new World();
  const host = hostAt(world.epoch);
  world.names.set(host, { ipv4: ["10.0.0.9"], ipv6: [] });
  new ScriptedServer(world, HERE);
  world.at(5_000, () => world.names.set(host, V4));
  const story = start(world, { limits: { silence: 10_000 } });
  assert.ok(await world.run(() => story.closed, MINUTE));
  assert.deepEqual(world.asked, [host, host]);
  assert.deepEqual(
    story.attempts.map(({ address }) => address),
    ["10.0.0.9", HERE.address],
  );
});

test("a clock up to 4 minutes off finds its server around an epoch's end, even with no margins published (D7)", async (t) => {
  const boundary = Date.UTC(2026, 0, 1, 10, 30);
  for (const offset of [-4, 4]) {
    for (const minute of [-5, -4, -3, -1, -0.01, 0, 1, 3, 3.99, 5]) {
      await t.test(`${minute} min from the boundary, clock ${offset} min off`, async () => {
        const world = new World();
        world.epoch = boundary + minute * MINUTE;
        const right = hostAt(world.epoch);
        world.names.set(right, V4);
        new ScriptedServer(world, HERE);
        const story = start(world, { clockOffset: offset * MINUTE });
        assert.ok(await world.run(() => story.closed, MINUTE));
        assert.equal(story.result?.number, 1, "on the first attempt");
        const misses = epochAt(BERTH_1, world.epoch)?.value !== epochAt(BERTH_1, world.epoch + offset * MINUTE)?.value;
        assert.deepEqual(world.asked.length, misses ? 2 : 1, "the nearer neighbour first");
        assert.equal(story.result?.kind, misses ? "neighbour" : "own");
      });
    }
  }
});

test("where no name resolves: own, nearer neighbour, farther, static URI, then back-off (D7)", async () => {
  for (const [minutes, order] of [
    [10, [0, -1, 1]],
    [-10, [0, 1, -1]],
  ] as const) {
    const world = new World();
    const boundary = minutes > 0 ? Date.UTC(2026, 0, 1, 9, 30) : Date.UTC(2026, 0, 1, 10, 30);
    world.epoch = boundary + minutes * MINUTE;
    const story = start(world);
    await world.run(() => story.failures.length === 1, MINUTE);
    assert.deepEqual(world.asked, [...order.map((hours) => hostAt(world.epoch + hours * 60 * MINUTE)), "bs.example.com"]);
    assert.equal(story.failures[0]?.cause, "name-not-found");
    const { retryIn } = story.failures[0] ?? {};
    assert.ok(retryIn !== undefined && retryIn < 2000);
    await world.run(() => story.failures.length === 2, retryIn);
    assert.equal(world.asked.length, 8);
    story.client.stop();
  }
});

test("the static URI serves when no temporary name resolves; one with {token} is no address", async () => {
  const world = new World();
  new ScriptedServer(world, HERE);
  world.names.set("bs.example.com", V4);
  const story = start(world);
  assert.ok(await world.run(() => story.closed, MINUTE));
  assert.equal(story.result?.kind, "static");

  const empty = new World();
  const template = start(empty, { factory: { uri: "coaps://bs-{token}.example.com" }, maxAttempts: 1 });
  await empty.run(() => template.closed, MINUTE);
  assert.equal(empty.asked.length, 3, "own and both neighbours");
  assert.match(empty.asked.join(), /^bs-[a-z2-7]{16}\.example\.com,bs-/);
  assert.match(String(template.error), /gave up after 1 attempt: name-not-found/);
});

test("a silent resolver is asked for the own name and the static one only", async () => {
  const world = new World();
  world.resolverFails = true;
  const story = start(world, { maxAttempts: 1 });
  await world.run(() => story.closed, MINUTE);
  assert.deepEqual(world.asked, [hostAt(world.epoch), "bs.example.com"]);
  assert.equal(story.failures[0]?.cause, "resolver-failed");
});

test("a device with a counter looks ahead, and goes on after the counter that was used", async () => {
  const recipe = parseRecipe({ ...BERTH_1, parameters: [{ kind: "endpoint" }, { kind: "counter" }], lookAhead: 3 });
  const world = new World();
  new ScriptedServer(world, HERE);
  world.names.set(hostAt(0, recipe, 9), V4);
  const story = start(world, { recipe, counter: 7 });
  assert.ok(await world.run(() => story.closed, MINUTE));
  assert.deepEqual(
    world.asked,
    [7, 8, 9].map((counter) => hostAt(0, recipe, counter)),
  );
  assert.equal(story.result?.kind, "neighbour");
  assert.equal(story.result?.nextCounter, 10);
});

test("IPv6 or IPv4 is used, whichever is there; of both IPv4 first and the other at the next attempt", async () => {
  const six = { address: "fd00::1", port: 5684 };
  const world = new World();
  new ScriptedServer(world, six);
  const host = hostAt(world.epoch);
  world.names.set(host, { ipv4: [], ipv6: ["fd00:0:0::1"] });
  const only = start(world);
  assert.ok(await world.run(() => only.closed, MINUTE));
  assert.equal(only.result?.address, "fd00::1");

  world.names.set(host, { ipv4: ["10.0.0.9"], ipv6: ["fd00::1"] });
  const both = start(world, { limits: { silence: 5_000 } });
  assert.ok(await world.run(() => both.closed, MINUTE));
  assert.deepEqual(
    both.attempts.map(({ address }) => address),
    ["10.0.0.9", "fd00::1"],
  );
});

test("settings that do not go together are refused before the first attempt", () => {
  const world = new World();
  assert.throws(
    () => start(world, { factory: { psk: new Uint8Array() } }),
    /\/0\/0\/5: security mode 0 needs the pre-shared key/,
  );
  assert.throws(() => start(world, { factory: { uri: "coaps://10.0.0.1", psk: new Uint8Array(16) } }), {
    code: "placement-impossible",
  });
});
