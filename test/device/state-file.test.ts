import assert from "node:assert/strict";
import fs, {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import fc from "fast-check";
import { type DeviceState, ObjectTree, StateFile } from "../../src/device/index.ts";
import {
  encodeContent,
  multiple,
  type ObjectInstance,
  objectInstance,
  type Resource,
  type ResourceValue,
  single,
  toInteger,
} from "../../src/lwm2m/index.ts";
import { HERE, hostAt, type Story, start } from "./client-fixture.ts";
import { CONFIGURED, FACTORY } from "./operation-fixture.ts";
import { codesOf, DELETE_ALL, FINISH, GOOD_SCRIPT, PSK, ScriptedServer, security, server, write } from "./scripted-server.ts";
import { World } from "./world.ts";

const MINUTE = 60_000;

/** A folder of its own, and a path in it. */
function place(t: TestContext): { folder: string; path: string } {
  const folder = mkdtempSync(join(tmpdir(), "berth-state-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return { folder, path: join(folder, "device.json") };
}

const id = fc.integer({ min: 0, max: 65_534 });
const bytes = fc.uint8Array({ maxLength: 40 });
const signed = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(toInteger);
const value: fc.Arbitrary<ResourceValue> = fc.oneof(
  fc.string({ unit: "binary" }).map((text): ResourceValue => ({ type: "string", value: text })),
  fc.constantFrom("\ud800", "\u0000", "__proto__").map((text): ResourceValue => ({ type: "string", value: text })),
  fc.boolean().map((bit): ResourceValue => ({ type: "boolean", value: bit })),
  signed.map((number): ResourceValue => ({ type: "integer", value: number })),
  signed.map((number): ResourceValue => ({ type: "time", value: number })),
  fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map((number): ResourceValue => ({ type: "unsigned", value: toInteger(number) })),
  fc.double().map((number): ResourceValue => ({ type: "float", value: number })),
  bytes.map((opaque): ResourceValue => ({ type: "opaque", value: opaque })),
  fc
    .record({ objectId: id, instanceId: id }, { noNullPrototype: true })
    .map((link): ResourceValue => ({ type: "objlnk", value: link })),
);
const resource: fc.Arbitrary<Resource> = fc.oneof(
  fc.tuple(id, value).map(([at, held]) => single(at, held)),
  fc.tuple(id, fc.array(fc.tuple(id, value), { maxLength: 3 })).map(([at, entries]) => multiple(at, entries)),
);
const instance: fc.Arbitrary<ObjectInstance> = fc
  .tuple(id, id, fc.array(resource, { maxLength: 5 }))
  .map(([object, number, resources]) => objectInstance(object, number, resources));
const state: fc.Arbitrary<DeviceState> = fc.record(
  {
    tree: fc.array(instance, { maxLength: 5 }).map((instances) => new ObjectTree(instances)),
    accountExpires: fc.integer({ min: 0, max: 253_402_300_799_999 }),
  },
  { requiredKeys: ["tree"], noNullPrototype: true },
);

/** What a state holds, in a form that can be compared. */
function contents({ tree, accountExpires }: DeviceState): unknown {
  const sorted = <T>(map: ReadonlyMap<number, T>): [number, T][] => [...map].sort(([a], [b]) => a - b);
  return [
    accountExpires,
    tree
      .instances()
      .map(({ objectId, id: number, resources }) => [
        objectId,
        number,
        sorted(resources).map(([, held]) => (held.kind === "single" ? held : { ...held, instances: sorted(held.instances) })),
      ]),
  ];
}

test("what is saved is what is loaded: every type, every id, instances and resources without values", (t) => {
  const file = new StateFile(place(t).path);
  fc.assert(
    fc.property(state, (given) => {
      file.save(given);
      const loaded = file.load();
      assert.ok(loaded !== undefined);
      assert.deepEqual(contents(loaded), contents(given));
    }),
    { numRuns: 200 },
  );
});

test("a file that is not there is no state", (t) => {
  assert.equal(new StateFile(place(t).path).load(), undefined);
});

test("a damaged file is refused with what is wrong, and left as it is: any byte changed, any end missing", (t) => {
  const { path } = place(t);
  const file = new StateFile(path);
  file.save({ tree: CONFIGURED, accountExpires: Date.UTC(2030, 0) });
  const good = readFileSync(path);
  const refused = (bad: Uint8Array, why: RegExp): void => {
    writeFileSync(path, bad);
    assert.throws(() => file.load(), { code: "state-unreadable", message: why });
    assert.deepEqual(readFileSync(path), Buffer.from(bad));
  };
  for (let at = 0; at < good.length; at += 7) {
    const changed = Buffer.from(good);
    changed[at] = (changed[at] ?? 0) ^ (1 << (at % 7));
    refused(changed, /device\.json: is (damaged|no state file of a device).*; move the file away/);
    refused(good.subarray(0, at), /is no state file of a device, or its end is missing/);
  }
  refused(Buffer.from("hello"), /is no state file/);
});

test("errors name the file and never what is in it", (t) => {
  const { path } = place(t);
  new StateFile(path).save({ tree: FACTORY });
  const key = Buffer.from(PSK).toString("base64");
  const text = readFileSync(path, "utf8");
  assert.ok(text.includes(key));
  writeFileSync(path, text.replace(key, `${key}A`));
  assert.throws(
    () => new StateFile(path).load(),
    ({ message }: Error) => message.startsWith(path) && !message.includes(key.slice(0, 6)) && !message.includes("\n"),
  );
  assert.throws(() => new StateFile(join(path, "x")).load(), { code: "state-unreadable", message: /ENOTDIR/ });
});

test("the file is for its owner only, whatever was there before; nothing else is left in the folder", (t) => {
  const { folder, path } = place(t);
  writeFileSync(path, "old");
  chmodSync(path, 0o666);
  writeFileSync(join(folder, ".device.json.new"), "left by a loss of power", { mode: 0o644 });
  const mask = process.umask(0);
  try {
    new StateFile(path).save({ tree: FACTORY });
  } finally {
    process.umask(mask);
  }
  assert.equal(statSync(path).mode & 0o777, 0o600);
  assert.deepEqual(readdirSync(folder), ["device.json"]);
});

test("the new file is whole and on the disk before it gets the name, and its name is before save returns", (t) => {
  const { folder, path } = place(t);
  const next = join(folder, ".device.json.new");
  const calls: string[] = [];
  const paths = new Map<unknown, string>();
  const names = { [next]: "next", [path]: "file", [folder]: "folder" };
  const nameOf = (of: unknown): string => names[paths.get(of) ?? String(of)] ?? String(of);
  for (const method of ["openSync", "writeFileSync", "fsyncSync", "renameSync", "closeSync"] as const) {
    const original = fs[method] as (...args: unknown[]) => unknown;
    t.mock.method(fs, method, (...args: unknown[]) => {
      calls.push(`${method.replace("Sync", "")} ${nameOf(args[0])}${method === "renameSync" ? ` ${nameOf(args[1])}` : ""}`);
      const result = original(...args);
      if (method === "openSync") paths.set(result, String(args[0]));
      return result;
    });
  }
  syncBuiltinESMExports();
  try {
    new StateFile(path).save({ tree: FACTORY });
  } finally {
    t.mock.reset();
    syncBuiltinESMExports();
  }
  const file = ["open next", "writeFile next", "fsync next", "close next", "rename next file"];
  assert.deepEqual(calls, [...file, "open folder", "fsync folder", "close folder"]);
});

test("a link that somebody put where the new file is to be is not followed", (t) => {
  const { folder, path } = place(t);
  const victim = join(folder, "victim");
  writeFileSync(victim, "mine");
  symlinkSync(victim, join(folder, ".device.json.new"));
  new StateFile(path).save({ tree: FACTORY });
  assert.equal(readFileSync(victim, "utf8"), "mine");
});

test("a state that cannot be saved is an error, and the old one is still there", (t) => {
  const { folder, path } = place(t);
  const file = new StateFile(path);
  file.save({ tree: FACTORY });
  mkdirSync(join(folder, ".device.json.new"));
  assert.throws(() => file.save({ tree: CONFIGURED }), { code: "state-not-saved", message: /device\.json: / });
  assert.deepEqual(contents(file.load() ?? { tree: new ObjectTree() }), contents({ tree: FACTORY }));
  assert.throws(() => new StateFile(join(folder, "no", "device.json")).save({ tree: FACTORY }), { code: "state-not-saved" });
});

/** A device with a store, at a server with a script. */
function setting(
  save: (state: DeviceState) => void,
  script = GOOD_SCRIPT,
): { world: World; scripted: ScriptedServer; story: Story } {
  const world = new World();
  const scripted = new ScriptedServer(world, HERE);
  scripted.script = script;
  world.names.set(hostAt(world.epoch), { ipv4: [HERE.address], ipv6: [] });
  return { world, scripted, story: start(world, { store: { save }, maxAttempts: 1 }) };
}

test("the new tree is stored before Finish is answered", async () => {
  const saved: { state: DeviceState; told: number }[] = [];
  const { world, scripted, story } = setting((given) => void saved.push({ state: given, told: scripted.finished.length }));
  assert.ok(await world.run(() => story.closed, MINUTE));
  assert.deepEqual([saved.length, saved[0]?.told, scripted.finished.length], [1, 0, 1]);
  assert.equal(saved[0]?.state.tree, story.client.tree);
});

test("if it cannot be stored, Finish is answered 5.00, and the device is as it was", async () => {
  const { world, scripted, story } = setting(() => {
    throw new Error("ENOSPC: no space left on device, write");
  });
  const before = story.client.tree;
  await world.run(() => scripted.results.length === 4, MINUTE);
  assert.deepEqual(codesOf(scripted.results), ["2.02", "2.04", "2.04", "5.00"]);
  scripted.disconnect();
  assert.ok(await world.run(() => story.closed, MINUTE));
  assert.deepEqual(
    [story.failures[0]?.cause, story.failures[0]?.detail],
    ["not-stored", "ENOSPC: no space left on device, write"],
  );
  assert.deepEqual([story.client.tree === before, scripted.finished], [true, []]);
});

test("a Finish that is repeated once there is room is accepted", async () => {
  let room = false;
  const saved: DeviceState[] = [];
  const { world, scripted, story } = setting(
    (given) => {
      if (!room) throw new Error("ENOSPC");
      saved.push(given);
    },
    [...GOOD_SCRIPT, FINISH],
  );
  await world.run(() => scripted.results.length === 4, MINUTE);
  room = true;
  assert.ok(await world.run(() => story.result !== undefined, MINUTE));
  assert.deepEqual(
    saved.map(({ tree }) => tree),
    [story.client.tree],
  );
  story.client.stop();
});

test("a Pack that cannot be stored changes nothing, and is not followed by a Bootstrap-Request that would fare no better", async () => {
  const world = new World();
  const scripted = new ScriptedServer(world, HERE);
  scripted.answer = { code: "2.05", contentFormat: 112, payload: encodeContent(112, [], [security(1), server(1)]) };
  world.names.set(hostAt(world.epoch), { ipv4: [HERE.address], ipv6: [] });
  const store = {
    save: () => {
      throw new Error("EROFS: read-only file system");
    },
  };
  const story = start(world, { pack: true, store, maxAttempts: 1 });
  assert.ok(await world.run(() => story.closed, MINUTE));
  assert.deepEqual([story.failures[0]?.cause, scripted.requests.length], ["not-stored", 1]);
  assert.equal(story.client.tree.get(1, 0), undefined);
});

test("a bootstrap that fails before Finish stores nothing", async () => {
  const saved: DeviceState[] = [];
  const { world, scripted, story } = setting((given) => void saved.push(given), [DELETE_ALL, write(security(1)), FINISH]);
  await world.run(() => scripted.results.length === 3, MINUTE);
  scripted.disconnect();
  assert.ok(await world.run(() => story.closed, MINUTE));
  assert.deepEqual([story.failures[0]?.cause, saved], ["inconsistent", []]);
});
