import assert from "node:assert/strict";
import { test } from "node:test";
import type { AuditEntry, AuditPage, AuditQuery, RotationReply } from "../../src/control/index.ts";
import { builtInRecipe, parseRecipe, type Recipe } from "../../src/naming/index.ts";
import { FakeStorage } from "./fake-storage.ts";
import { deviceInput, endpointOf, MINUTE, NOW, TIMING, World } from "./world.ts";

const DEVICE = endpointOf(0);
const COUNTING: Recipe = parseRecipe(
  { ...builtInRecipe("berth-1"), parameters: [{ kind: "endpoint" }, { kind: "counter" }], lookAhead: 2 },
  "counting",
);
/** Names of two characters: 1024 of them. */
const SHORT: Recipe = { ...builtInRecipe("berth-1"), name: "short", token: { encoding: "base32", first: 2 } };

async function audit(world: World, query: AuditQuery = {}): Promise<AuditPage> {
  return world.api.audit({ params: {}, query, body: undefined });
}

/** Entries as kind, trigger, subject, the newest first. */
async function told(world: World): Promise<(string | null)[][]> {
  return (await audit(world)).entries.map(({ kind, trigger, subject }) => [kind, trigger, subject]);
}

async function rotate(world: World, trigger?: "operator" | "leak", reason = "test"): Promise<RotationReply> {
  return world.api.rotate({ params: {}, query: {}, body: { reason, ...(trigger === undefined ? {} : { trigger }) } });
}

test("rotations stand in the audit log with what set them off: the timer, an operator, a suspected leak", async () => {
  const world = await World.start({ recipe: COUNTING, timing: { ...TIMING, rotateEvery: 30 * MINUTE } });
  await world.joinAll("bs-11");
  await world.import(3);
  await world.pass(31 * MINUTE, MINUTE / 20);
  await rotate(world, undefined, "new site");
  await rotate(world, "leak", "a name stood in a ticket");
  const [leak, operator, timer] = (await audit(world)).entries.filter(({ kind }) => kind === "rotation");
  const of = ({ trigger, reason, counts }: AuditEntry): unknown => [trigger, reason, counts];
  assert.deepEqual(
    [leak, operator, timer].map((entry) => entry && of(entry)),
    [
      ["leak", "a name stood in a ticket", { pending: 3, moved: 0, stepped: 0, atLimit: 3 }],
      ["operator", "new site", { pending: 3, moved: 0, stepped: 3, atLimit: 0 }],
      ["timer", "rotation.every", { pending: 3, moved: 0, stepped: 3, atLimit: 0 }],
    ],
  );
});

test("a rotation says when names go by the time alone, and so stay until the next epoch", async () => {
  const world = await World.start();
  await world.joinAll("bs-11");
  await world.import(1);
  const name = world.nameOf(DEVICE);
  const { warnings } = await rotate(world, "leak");
  assert.deepEqual(warnings, [
    "names stay as they are until the next epoch, at 2026-01-01T10:30:00.000Z: the recipe makes them by the time alone",
  ]);
  assert.equal(world.nameOf(DEVICE), name);
  const counting = await World.start({ recipe: COUNTING });
  assert.deepEqual((await rotate(counting, "leak")).warnings, []);
});

test("an import and a rotation warn of a recipe with too few names for the fleet, with the numbers (N10)", async () => {
  const world = await World.start({ recipe: SHORT });
  await world.joinAll("bs-11");
  assert.deepEqual((await world.import(10)).warnings, []);
  const { warnings } = await world.import(500, 10);
  assert.match(warnings[0] ?? "", /^recipe short: 510 live names are too many for its 1024 different tokens/);
  assert.ok((await rotate(world)).warnings.some((warning) => warning.startsWith("recipe short: 510 live names")));
});

test("re-armings, removals and profiles stand in the audit log, each with why and how many; never a name", async () => {
  const world = await World.start();
  await world.joinAll("bs-11");
  await world.add(deviceInput(0), deviceInput(1));
  for (const endpoint of [DEVICE, endpointOf(1)]) await world.tell("bs-11", "completed", endpoint, `S-${endpoint}`);
  await world.api.rearm({ params: {}, query: {}, body: { all: true, reason: "the server was lost" } });
  const names = [DEVICE, endpointOf(1)].map((endpoint) => world.nameOf(endpoint));
  await world.api.removeDevice({ params: { endpoint: DEVICE }, query: {}, body: undefined });
  await world.api.putProfile({ params: { name: "default" }, query: {}, body: { changed: true } });
  await world.api.putProfile({ params: { name: "default" }, query: {}, body: { changed: true } });
  assert.deepEqual((await told(world)).slice(0, 3), [
    ["profile", "operator", "default"],
    ["removal", "operator", DEVICE],
    ["rearming", "operator", null],
  ]);
  const { entries } = await audit(world);
  const rearming = entries.find(({ kind }) => kind === "rearming");
  assert.deepEqual([rearming?.at, rearming?.reason, rearming?.counts], [NOW, "the server was lost", { rearmed: 2 }]);
  for (const name of names) assert.ok(!JSON.stringify(entries).includes(name));
});

test("the log comes page by page, the newest first, and survives a restart", async () => {
  const world = await World.start();
  for (let n = 0; n < 5; n++) await rotate(world, "operator", `reason ${n}`);
  await world.tick();
  const again = await world.restart();
  const first = await audit(again, { limit: 3 });
  const second = await audit(again, { limit: 3, before: first.next ?? 0 });
  const reasons = [...first.entries, ...second.entries].map(({ reason }) => reason);
  assert.deepEqual(reasons, ["reason 4", "reason 3", "reason 2", "reason 1", "reason 0"]);
  assert.equal(second.next, null);
});

test("an entry that cannot be stored is stored when the database is back", async () => {
  const storage = new FakeStorage();
  const world = await World.start({ storage });
  storage.broken = true;
  await rotate(world);
  await world.pass(1000);
  storage.broken = false;
  await world.pass(3000);
  assert.deepEqual(
    (await storage.audit.page({ limit: 10 })).map(({ kind }) => kind),
    ["rotation"],
  );
});

test("a reason that no database takes as it is does not hold up the log", async () => {
  const world = await World.start();
  await rotate(world, "operator", "half a pair \ud800 and a \0 NUL");
  assert.equal((await audit(world)).entries[0]?.reason, "half a pair \ufffd and a  NUL");
});
