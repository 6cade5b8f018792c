import assert from "node:assert/strict";
import { test } from "node:test";
import type { DeviceState, ObjectTree } from "../../src/device/index.ts";
import { BERTH_OBJECT, single } from "../../src/lwm2m/index.ts";
import { BERTH_1, HERE, hostAt, type Story, start } from "./client-fixture.ts";
import { pathsOf } from "./operation-fixture.ts";
import { bootstrapAccount, DELETE_ALL, FINISH, ScriptedServer, security, server, write } from "./scripted-server.ts";
import { World } from "./world.ts";

const MINUTE = 60_000;

/** A device that is given an account with this timeout (/0/x/12), and what it stores. */
async function configured(
  timeout: number | undefined,
  events: { purged?(tree: ObjectTree): void } = {},
): Promise<{ world: World; story: Story; saved: DeviceState[] }> {
  const world = new World();
  const scripted = new ScriptedServer(world, HERE);
  const more = timeout === undefined ? [] : [single(12, { type: "integer", value: timeout } as const)];
  const account = bootstrapAccount(0, { uri: "coaps://bs.example.com:5684", more });
  scripted.script = [DELETE_ALL, write(security(1)), write(server(1)), write(account), FINISH];
  world.names.set(hostAt(world.epoch), { ipv4: [HERE.address], ipv6: [] });
  const saved: DeviceState[] = [];
  const story = start(world, { store: { save: (state) => void saved.push(state) }, events });
  assert.ok(await world.run(() => story.result !== undefined, MINUTE));
  return { world, story, saved };
}

test("the bootstrap account is purged when its time after Finish is over, and not before (/0/x/12)", async () => {
  for (const seconds of [1, 10, 3_600, 30 * 86_400]) {
    const purged: ObjectTree[] = [];
    const { world, story, saved } = await configured(seconds, { purged: (tree) => void purged.push(tree) });
    const finished = world.clock.now();
    assert.equal(story.result?.accountExpires, world.wallNow() + seconds * 1000);
    await world.run(() => false, seconds * 1000 - 1);
    assert.deepEqual(pathsOf(story.client.tree), ["/0/0", "/0/1", "/1/0", "/3/0"]);
    assert.ok(await world.run(() => purged.length > 0, 1));
    assert.equal(world.clock.now() - finished, seconds * 1000);
    assert.deepEqual(pathsOf(story.client.tree), ["/0/1", "/1/0", "/3/0"]);
    assert.equal(purged[0], story.client.tree);
    // It is stored too, and no longer expires.
    assert.deepEqual(
      saved.map((state) => [pathsOf(state.tree).length, state.accountExpires]),
      [
        [4, story.result?.accountExpires],
        [3, undefined],
      ],
    );
    assert.ok(await world.run(() => story.closed, MINUTE));
    assert.deepEqual([world.openSockets, world.machines.size], [0, 1]);
  }
});

test("a timeout of 0, or none, keeps the account for ever (/0/x/12)", async () => {
  for (const timeout of [undefined, 0, -1]) {
    const { world, story } = await configured(timeout);
    assert.equal(story.result?.accountExpires, undefined);
    assert.ok(await world.run(() => story.closed, MINUTE), "nothing runs on for it");
    await world.run(() => false, 366 * 86_400_000);
    assert.deepEqual(pathsOf(story.client.tree), ["/0/0", "/0/1", "/1/0", "/3/0"]);
  }
});

test("a timeout beyond all dates is no date", async () => {
  const { story } = await configured(Number.MAX_SAFE_INTEGER);
  assert.ok(Number.isFinite(new Date(story.result?.accountExpires ?? 0).getTime()));
  story.client.stop();
});

test("that the purge cannot be stored does not stop it", async () => {
  const { world, story } = await configured(60);
  story.client.stop();
  const failing = await configured(60);
  failing.saved.push = () => {
    throw new Error("no space left");
  };
  assert.ok(await failing.world.run(() => failing.story.closed, 5 * MINUTE));
  assert.equal(failing.story.client.tree.get(0, 0), undefined);
  assert.equal(world.openSockets, 0);
});

test("a device that starts after its account's time bootstraps no more; before it, it does", async () => {
  const { world, story } = await configured(600);
  story.client.stop();
  const { tree, accountExpires } = story.result ?? {};
  assert.ok(tree !== undefined && accountExpires !== undefined);
  world.names.set(hostAt(world.wallNow()), { ipv4: [HERE.address], ipv6: [] });
  const again = start(world, { tree, accountExpires });
  assert.ok(await world.run(() => again.result !== undefined, MINUTE));
  again.client.stop();
  await world.run(() => false, 600_000);
  assert.throws(() => start(world, { tree, accountExpires }), {
    code: "no-bootstrap-account",
    message: /its? ?time|the time of/,
  });
});

test("an account whose time ends while the device still tries is given up", async () => {
  const { world, story } = await configured(600);
  story.client.stop();
  const { tree, accountExpires } = story.result ?? {};
  assert.ok(tree !== undefined && accountExpires !== undefined);
  world.names.clear();
  const again = start(world, { tree, accountExpires });
  assert.ok(await world.run(() => again.closed, 3_600_000));
  assert.match(String(again.error), /NoBootstrapAccount: the time of the bootstrap account is over/);
});

test("the Berth object that belongs to the account goes with it; one that belongs to none stays", async () => {
  const world = new World();
  for (const [link, left] of [
    [[single(1, { type: "objlnk", value: { objectId: 0, instanceId: 0 } } as const)], ["/0/1", "/1/0", "/3/0"]],
    [[], ["/0/1", "/1/0", "/3/0", `/${BERTH_OBJECT}/0`]],
  ] as const) {
    const scripted = new ScriptedServer(world, HERE);
    const berth = {
      objectId: BERTH_OBJECT,
      id: 0,
      resources: new Map([single(0, { type: "string", value: JSON.stringify(BERTH_1) } as const), ...link].map((r) => [r.id, r])),
    };
    const account = bootstrapAccount(0, {
      uri: "coaps://bs.example.com:5684",
      more: [single(12, { type: "integer", value: 60 })],
    });
    scripted.script = [DELETE_ALL, ...[security(1), server(1), account, berth].map((instance) => write(instance)), FINISH];
    world.names.set(hostAt(world.wallNow()), { ipv4: [HERE.address], ipv6: [] });
    const story = start(world);
    assert.ok(await world.run(() => story.closed, 10 * MINUTE));
    assert.deepEqual(pathsOf(story.client.tree), left);
  }
});
