import assert from "node:assert/strict";
import { test } from "node:test";
import { builtInRecipe } from "../../src/naming/index.ts";
import { openStorage, SecretBox } from "../../src/storage/index.ts";
import { deviceInput, endpointOf, World } from "./world.ts";

test("bad devices are rejected with their place and reason, and the rest is taken", async () => {
  const storage = await openStorage({ kind: "memory" }, new SecretBox(new Uint8Array(32).fill(3)));
  await storage.profiles.put("default", {}, 0);
  await storage.profiles.put("meter", {}, 0);
  const world = await World.start({ storage });
  await world.join("bs-11");
  const reply = await world.add(
    deviceInput(1),
    deviceInput(2, { psk: "00".repeat(15) }),
    deviceInput(3, { psk: "00".repeat(65) }),
    deviceInput(4, { psk: "0x" }),
    deviceInput(5, { profile: "metre" }),
    deviceInput(6, { identity: endpointOf(1) }),
    deviceInput(7, { endpoint: "tab\tbed" }),
    deviceInput(8, { profile: "meter" }),
  );
  assert.deepEqual(reply, {
    inserted: 2,
    updated: 0,
    rejected: [
      { index: 1, reason: "psk has 15 bytes, at least 16 are needed" },
      { index: 2, reason: "psk has 65 bytes, at most 64 are allowed" },
      { index: 3, reason: "psk: only the hex digits 0-9 and a-f are allowed" },
      { index: 4, reason: "profile: metre is not known; there are default, meter" },
      { index: 5, reason: `its identity belongs to ${endpointOf(1)}` },
      { index: 6, reason: "endpoint holds a control character" },
    ],
    warnings: [],
  });
  assert.deepEqual(world.loads(), [2]);
  await storage.close();
});

test("without a profile a device gets the one called like its endpoint, or else default", async () => {
  const world = await World.start();
  await world.balancer.putProfile(endpointOf(2), {});
  await world.add(
    deviceInput(1),
    deviceInput(2),
    deviceInput(3, { profile: endpointOf(2) }),
    deviceInput(2, { profile: "default" }),
  );
  const profiles = await Promise.all([1, 2, 3].map(async (number) => (await world.view(endpointOf(number))).profile));
  assert.deepEqual(profiles, ["default", "default", endpointOf(2)]);
  await world.add(deviceInput(2));
  assert.equal((await world.view(endpointOf(2))).profile, endpointOf(2));
});

test("before there is any profile, nothing can be imported", async () => {
  const world = await World.start();
  const empty = await openStorage({ kind: "memory" }, new SecretBox(new Uint8Array(32).fill(3)));
  const other = await world.restart({ storage: empty });
  assert.deepEqual((await other.import(1)).rejected, [
    { index: 0, reason: "profile: default is not known; there is no profile yet" },
  ]);
  await empty.close();
});

test("a device the recipe cannot name is rejected, and its secret not repeated", async () => {
  const inside = { order: "parameters-in-secret", offset: 20 } as const;
  const strict = await World.start({ recipe: { ...builtInRecipe("ni-3"), name: "strict", combine: inside } });
  const { rejected } = await strict.add(deviceInput(1, { psk: "ab".repeat(16), secret: "cd".repeat(16) }));
  assert.match(rejected[0]?.reason ?? "", /offset: 20 lies beyond the secret/);
  assert.doesNotMatch(rejected[0]?.reason ?? "", /cdcd/);
});

test("a known device gets a new secret: its old name goes, the new one leads to the same instance", async () => {
  const world = await World.start();
  await world.joinAll("bs-11", "bs-12");
  await world.import(4);
  const stream = world.open((await world.view(endpointOf(1))).instance ?? "");
  const [before = ""] = (await world.view(endpointOf(1))).names ?? [];
  const { instance } = await world.view(endpointOf(1));
  assert.deepEqual(await world.add(deviceInput(1, { psk: "77".repeat(16) })), {
    inserted: 0,
    updated: 1,
    rejected: [],
    warnings: [],
  });
  const view = await world.view(endpointOf(1));
  assert.equal(world.table.get(before), undefined);
  assert.equal(view.instance, instance);
  assert.equal(view.names?.length, 1);
  const last = (await stream.events()).at(-1);
  assert.deepEqual(last?.type === "assign" && last.assignments.map(({ psk }) => psk), ["77".repeat(16)]);
});

test("a new secret does not end a session in progress, and does not name a completed device", async () => {
  const world = await World.start();
  await world.join("bs-11");
  await world.import(2);
  await world.tell("bs-11", "commenced", endpointOf(0), "S1");
  await world.tell("bs-11", "completed", endpointOf(1), "S2");
  await world.add(deviceInput(0, { psk: "77".repeat(16) }), deviceInput(1, { psk: "78".repeat(16) }));
  assert.equal((await world.view(endpointOf(0))).state, "commenced");
  const completed = await world.view(endpointOf(1));
  assert.deepEqual([completed.state, completed.names], ["completed", []]);
  assert.equal(world.table.size, 1);
});

test("a device is removed with its names; who is not known is not removed", async () => {
  const world = await World.start();
  await world.join("bs-11");
  await world.import(2);
  await world.tell("bs-11", "commenced", endpointOf(0), "S1");
  assert.equal(await world.balancer.remove(endpointOf(0)), true);
  assert.equal(await world.balancer.remove(endpointOf(0)), false);
  await world.tell("bs-11", "completed", endpointOf(0), "S1");
  assert.equal(world.table.size, 1);
  assert.deepEqual(world.balancer.fleet.counts, { pending: 1, commenced: 0, completed: 0 });
});

test("devices are listed page by page, of one state if wanted", async () => {
  const world = await World.start();
  await world.join("bs-11");
  await world.import(5);
  await world.tell("bs-11", "completed", endpointOf(2), "S1");
  const list = async (query: object): Promise<unknown[]> => {
    const { devices, next } = await world.api.devices({ params: {}, query, body: undefined });
    return [devices.map(({ endpoint }) => endpoint.slice(-1)).join(""), next];
  };
  assert.deepEqual(await list({ limit: 2 }), ["01", endpointOf(1)]);
  assert.deepEqual(await list({ limit: 2, after: endpointOf(3) }), ["4", null]);
  assert.deepEqual(await list({ state: "completed" }), ["2", null]);
  const { devices } = await world.api.devices({ params: {}, query: { limit: 1 }, body: undefined });
  assert.deepEqual(Object.keys(devices[0] ?? {}), [
    "endpoint",
    "mode",
    "state",
    "instance",
    "profile",
    "group",
    "completedAt",
    "failures",
    "lastFailure",
  ]);
});
