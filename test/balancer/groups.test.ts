import assert from "node:assert/strict";
import { test } from "node:test";
import { builtInRecipe, type Recipe } from "../../src/naming/index.ts";
import { deviceInput, endpointOf, MINUTE, World } from "./world.ts";

const berth1 = builtInRecipe("berth-1");
/** A group secret and no device parameter: all devices of a group have one name (N7). */
const GROUP_RECIPE: Recipe = { ...berth1, name: "by-group", parameters: berth1.parameters.filter(({ kind }) => kind === "time") };

const secretOf = (group: number): string => group.toString(16).padStart(32, "e");

/** Imports groups of these sizes; devices are numbered through. */
async function importGroups(world: World, sizes: readonly number[]): Promise<number[][]> {
  let next = 0;
  const groups = sizes.map((size) => Array.from({ length: size }, () => next++));
  for (const [group, members] of groups.entries())
    await world.add(...members.map((number) => deviceInput(number, { secret: secretOf(group), group: `g${group}` })));
  return groups;
}

/** The instances of each group's devices, and where its names lead: one, if it is whole. */
async function homesOf(world: World, members: readonly number[]): Promise<Set<string>> {
  const homes = new Set<string>();
  for (const number of members) {
    const { instance, names = [] } = await world.view(endpointOf(number));
    homes.add(instance ?? "nowhere");
    for (const name of names) homes.add(world.balancer.instances.at(world.table.get(name) ?? -1)?.id ?? "NXDOMAIN");
  }
  return homes;
}

async function start(sizes: readonly number[]): Promise<{ world: World; groups: number[][] }> {
  const world = await World.start({ recipe: GROUP_RECIPE });
  await world.joinAll("bs-11", "bs-12", "bs-13");
  return { world, groups: await importGroups(world, sizes) };
}

async function checkWhole(world: World, groups: readonly (readonly number[])[]): Promise<void> {
  for (const members of groups) assert.equal((await homesOf(world, members)).size, 1, "a group is at one instance");
}

test("a group that shares a name is allocated as one, with its devices as weight (N10, B3)", async () => {
  const { world, groups } = await start([40, 10, 10, 20, 5, 5, 10, 20]);
  await world.balancer.rotate("test");
  await checkWhole(world, groups);
  assert.deepEqual(world.loads(), [40, 40, 40]);
});

test("at an epoch groups are spread afresh, and stay whole in both epochs' names", async () => {
  const { world, groups } = await start([30, 30, 30]);
  await world.leave("bs-12");
  await checkWhole(world, groups);
  await world.join("bs-12");
  await world.pass(26 * MINUTE, 4000);
  await checkWhole(world, groups);
  assert.deepEqual(world.loads(), [30, 30, 30]);
});

test("who leaves takes only its groups along; who joins gets whole groups (B11)", async () => {
  const { world, groups } = await start([20, 20, 20, 20, 20, 20]);
  await world.balancer.rotate("test");
  const before = await Promise.all(groups.map((members) => homesOf(world, members)));
  await world.leave("bs-13");
  await checkWhole(world, groups);
  for (const [group, members] of groups.entries()) {
    const [home = ""] = before[group] ?? [];
    if (home !== "bs-13") assert.deepEqual(await homesOf(world, members), new Set([home]));
  }
  assert.deepEqual(world.loads(), [60, 60]);
  await world.join("bs-14");
  await checkWhole(world, groups);
  assert.deepEqual(world.loads(), [40, 40, 40]);
});

test("a group with a session in progress stays where it is (B11)", async () => {
  const { world, groups } = await start([30, 3, 3]);
  const [home = ""] = await homesOf(world, groups[0] ?? []);
  await world.tell(home, "commenced", endpointOf(0), "S1");
  for (const id of ["bs-11", "bs-12", "bs-13"]) if (id !== home) await world.leave(id);
  await world.join("bs-15");
  await world.balancer.rotate("test");
  assert.deepEqual(await homesOf(world, groups[0] ?? []), new Set([home]));
});

test("groups and devices with names of their own: the latter level out what lumps leave uneven", async () => {
  const { world, groups } = await start([50, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, ...new Array<number>(60).fill(1)]);
  await world.balancer.rotate("test");
  await checkWhole(world, groups.slice(0, 1));
  assert.deepEqual(
    world.loads().sort((a, b) => a - b),
    [35, 35, 50],
  );
});
