import assert from "node:assert/strict";
import { test } from "node:test";
import { type FleetDevice, type FleetResult, runFleet } from "../../src/device/index.ts";
import { utf8 } from "../../src/lib/bytes.ts";
import { temporaryUri } from "../../src/naming/index.ts";
import { BERTH_1, HERE, URI } from "./client-fixture.ts";
import { ScriptedServer } from "./scripted-server.ts";
import { World } from "./world.ts";

const THERE = { address: "10.0.0.2", port: 5684 };

function devices(count: number): FleetDevice[] {
  return Array.from({ length: count }, (_, i) => ({ endpoint: `dev-${i}`, identity: `id-${i}`, psk: keyOf(`id-${i}`) }));
}

function keyOf(identity: string): Uint8Array {
  return utf8(identity.padEnd(16, "."));
}

/** Publishes the names of devices, the even ones at one server and the odd ones at the other. */
function publish(world: World, fleet: readonly FleetDevice[]): void {
  for (const [i, { endpoint, psk = new Uint8Array() }] of fleet.entries()) {
    const { host } = temporaryUri(BERTH_1, URI, { secret: psk, endpoint, instant: world.epoch });
    world.names.set(host, { ipv4: [i % 2 === 0 ? HERE.address : THERE.address], ipv6: [] });
  }
}

test("with 20 % of all datagrams lost, 5 % duplicated and reordered, 200 of 200 complete", async () => {
  const world = new World(7);
  Object.assign(world, { loss: 0.2, duplicate: 0.05, reorder: 0.05 });
  const servers = [HERE, THERE].map((here) => new ScriptedServer(world, here, true, keyOf));
  const fleet = devices(200);
  publish(world, fleet);
  const results: FleetResult[] = [];
  const options = {
    devices: fleet,
    uri: URI,
    recipe: BERTH_1,
    burst: 2_000,
    environment: world.environment(),
    random: world.random,
  };
  const run = runFleet(options, (result) => void results.push(result));
  let closed = false;
  void run.closed.then(() => {
    closed = true;
  });
  assert.ok(await world.run(() => closed, 600_000));
  const summary = await run.done;
  assert.deepEqual([summary.devices, summary.completed, summary.failed], [200, 200, 0]);
  assert.deepEqual(summary.servers, { "10.0.0.1:5684": 100, "10.0.0.2:5684": 100 });
  assert.equal(new Set(results.map(({ endpoint }) => endpoint)).size, 200);
  assert.ok(summary.p50 > 0 && summary.p50 <= summary.p99 && summary.p99 <= summary.elapsed);
  // Some devices have to try again, but a lossy network is no reason for many to.
  assert.ok(summary.attempts < 300, `${summary.attempts} attempts`);
  for (const server of servers) assert.equal(new Set(server.finished).size, 100, "the servers know it too");
  assert.equal(world.openSockets, 0);
});

test("a killed server costs its devices seconds, not minutes", async () => {
  const world = new World();
  new ScriptedServer(world, THERE, true, keyOf);
  const fleet = devices(20);
  publish(world, fleet); // nobody answers at HERE
  world.at(7_000, () => {
    for (const name of world.names.keys()) world.names.set(name, { ipv4: [THERE.address], ipv6: [] });
  });
  const run = runFleet({ devices: fleet, uri: URI, recipe: BERTH_1, environment: world.environment(), random: world.random });
  let elapsed = 0;
  void run.done.then((summary) => {
    elapsed = summary.elapsed;
    assert.deepEqual([summary.completed, summary.attempts, summary.causes], [20, 30, { "handshake-timeout": 10 }]);
  });
  assert.ok(await world.run(() => elapsed > 0, 60_000));
  assert.ok(elapsed < 13_000, `${elapsed} ms`);
  run.stop();
});

test("results tell the instance and a hash, never the name or the key", async () => {
  const world = new World();
  new ScriptedServer(world, HERE, true, keyOf);
  new ScriptedServer(world, THERE, true, keyOf);
  const fleet = devices(2);
  publish(world, fleet);
  const results: FleetResult[] = [];
  const run = runFleet(
    { devices: fleet, uri: URI, recipe: BERTH_1, environment: world.environment() },
    (result) => void results.push(result),
  );
  await world.run(() => results.length === 2, 60_000);
  run.stop();
  const [result] = results;
  assert.deepEqual(
    [result?.endpoint, result?.ok, result?.attempts, result?.server, result?.kind],
    ["dev-0", true, 1, "10.0.0.1:5684", "own"],
  );
  assert.match(result?.nameHash ?? "", /^[0-9a-f]{12}$/);
  const text = JSON.stringify([results, await run.done]);
  for (const name of world.names.keys()) assert.ok(!text.includes(name.split(".")[0] ?? name));
});

test("devices without a result at the deadline have failed; those still to arrive too", async () => {
  const world = new World();
  const fleet = devices(10);
  publish(world, fleet);
  const results: FleetResult[] = [];
  const run = runFleet(
    { devices: fleet, uri: URI, recipe: BERTH_1, concurrency: 4, deadline: 30_000, environment: world.environment() },
    (result) => void results.push(result),
  );
  let closed = false;
  void run.closed.then(() => {
    closed = true;
  });
  await world.run(() => false, 20_000);
  assert.equal(world.openSockets <= 4, true);
  assert.ok(await world.run(() => closed, 20_000));
  assert.equal(world.clock.now(), 30_000);
  const summary = await run.done;
  assert.deepEqual([summary.completed, summary.failed, results.length, world.openSockets], [0, 10, 10, 0]);
  assert.deepEqual(results.map(({ attempts }) => attempts > 0).filter(Boolean).length, 4);
});

test("no more devices run at once than allowed, and all get their turn", async () => {
  const world = new World();
  new ScriptedServer(world, HERE, true, keyOf);
  new ScriptedServer(world, THERE, true, keyOf);
  const fleet = devices(30);
  publish(world, fleet);
  const run = runFleet({ devices: fleet, uri: URI, recipe: BERTH_1, concurrency: 3, environment: world.environment() });
  let most = 0;
  let completed = 0;
  void run.done.then((summary) => {
    completed = summary.completed;
  });
  assert.ok(
    await world.run(() => {
      most = Math.max(most, world.openSockets);
      return completed > 0;
    }, 600_000),
  );
  assert.deepEqual([completed, most], [30, 3]);
  run.stop();
});

test("attempts are limited when asked for, and failures counted by cause", async () => {
  const world = new World();
  const server = new ScriptedServer(world, HERE, true, keyOf);
  server.answer = { code: "4.00" };
  const fleet = devices(1);
  publish(world, fleet);
  const run = runFleet({ devices: fleet, uri: URI, recipe: BERTH_1, maxAttempts: 2, environment: world.environment() });
  let closed = false;
  void run.closed.then(() => {
    closed = true;
  });
  assert.ok(await world.run(() => closed, 60_000));
  const { completed, failed, attempts, causes, p50, p99 } = await run.done;
  assert.deepEqual([completed, failed, attempts, causes, p50, p99], [0, 1, 2, { refused: 2 }, 0, 0]);
});

test("a fleet of none is done at once", async () => {
  const run = runFleet({ devices: [], uri: URI, environment: new World().environment() });
  assert.equal((await run.done).devices, 0);
  await run.closed;
});

test("a fleet beyond the open files of the process is refused with what to do", { skip: process.platform !== "linux" }, () => {
  const many = new Array<FleetDevice>(4_000_000_000);
  assert.throws(
    () => runFleet({ devices: many, uri: URI }),
    /need 4000000200 open files, and this process may have \d+; raise it \(ulimit -n/,
  );
});
