import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { RegistryUnavailable } from "../../src/dns/index.ts";
import { type FakeRegistry, host, World, ZONE } from "./publication-world.ts";

/* What a balancer that starts may change in the registry, on the same Map and clock as in publication.test.ts. */

describe("the brake of a comparison", () => {
  const full = async (count: number): Promise<FakeRegistry> => {
    const world = new World();
    world.set(0, count);
    await world.pass();
    return world.registry;
  };

  test("a balancer whose devices are gone takes nothing away until somebody confirms it", async () => {
    const world = new World(await full(100), { steps: ["1"], names: 100 });
    world.set(0, 60);
    await world.pass(60_000);
    assert.equal(world.registry.contents.size, 100);
    assert.equal(world.publication.view().state, "held");
    assert.match(world.publication.view().explanation ?? "", /40 of 100 names would go/);
    assert.ok(world.log.some((line) => line.includes("berth confirm")));
    assert.equal(await world.publication.confirm(), true);
    await world.pass();
    assert.equal(world.registry.contents.size, 60);
  });

  test("names of an epoch that is over go without a word, if there are as many of the next", async () => {
    const world = new World(await full(100), { steps: ["1"], names: 100 });
    world.steps = ["2"];
    world.set(1000, 1060);
    await world.pass();
    assert.equal(world.registry.contents.size, 60);
  });

  test("a balancer that ended while an epoch's names were being taken out goes on with it", async () => {
    const world = new World();
    const epoch = world.table.beginGeneration(2, 12_000);
    for (let number = 0; number < 12_000; number++) epoch.add(`e${number}.${ZONE}`, number % 2);
    world.table.publish(epoch);
    world.set(0, 12_000);
    world.steps = ["1", "2"];
    await world.pass(1000);
    world.steps = ["2"];
    world.table.withdraw(1);
    world.clock.advance(5000);
    await world.pass(50);
    assert.equal(world.registry.contents.size, 19_000);
    assert.deepEqual(world.saved?.steps, ["1", "2"], "names of both are there");
    await world.pass(1000);
    await world.publication.close();
    assert.deepEqual(world.saved, { steps: ["2"], names: 12_000 });
  });

  test("an epoch's change does not explain that hardly any name is left", async () => {
    const world = new World(await full(100), { steps: ["1"], names: 100 });
    world.steps = ["2"];
    world.set(1000, 1020);
    await world.pass();
    assert.equal(world.publication.view().state, "held");
    assert.equal(world.registry.contents.size, 100);
    assert.equal(await world.publication.confirm(), true);
    await world.pass();
    assert.equal(world.registry.contents.size, 20);
    assert.equal(await world.publication.confirm(), false, "nothing is held any more");
  });

  /** What the next balancer begins with: the registry and what was written down as they are, and what the database has. */
  const next = (world: World): World => {
    world.registry.fails = undefined;
    return new World(world.registry, world.saved);
  };

  test("what waited while the server was down is not held against the next balancer, be it after a crash or an orderly end", async () => {
    for (const ends of ["crash", "orderly"]) {
      const world = new World();
      world.set(0, 100);
      await world.pass();
      world.registry.fails = new RegistryUnavailable("servfail", "192.0.2.53:53 answers SERVFAIL");
      for (let number = 0; number < 60; number++) world.table.delete(1, host(number));
      if (ends === "crash") await world.pass(100);
      else await world.publication.close();
      const after = next(world);
      after.set(60, 100);
      await after.pass();
      assert.deepEqual([after.publication.view().state, after.registry.contents.size], ["following", 40], ends);
    }
  });

  test("nor what was written before the database had it; it is written down first", async () => {
    const world = new World();
    world.set(0, 100);
    await world.pass();
    world.unstored = 0.8;
    const write = world.registry.write.bind(world.registry);
    let known: number | undefined;
    world.registry.write = (states) => {
      known ??= world.saved?.unsettled;
      return write(states);
    };
    for (let number = 0; number < 80; number++) world.table.delete(1, host(number));
    world.set(100, 180);
    await world.pass();
    assert.equal(known, 1, "before the registry has any of it");
    await world.pass(6000);
    assert.deepEqual([world.registry.contents.size, world.saved?.unsettled], [100, 0.8]);
    const after = next(world);
    after.set(0, 100);
    await after.pass();
    assert.equal(after.publication.view().state, "following");
  });

  test("when all is written, that is written down though nothing else happens, and the next balancer is braked again", async () => {
    const world = new World();
    world.set(0, 100);
    await world.pass();
    world.set(0, 100, 1);
    await world.pass(50);
    assert.equal(world.saved?.unsettled, 1);
    await world.pass(6000);
    assert.deepEqual(world.saved, { steps: ["1"], names: 100 });
    const after = next(world);
    after.set(0, 60);
    await after.pass(60_000);
    assert.equal(after.publication.view().state, "held");
    assert.deepEqual(after.saved, { steps: ["1"], names: 100 }, "what is held is not on its way");
  });

  test("changes of few names are not written down each", async () => {
    const world = new World();
    world.set(0, 100);
    await world.pass(10_000);
    let saves = 0;
    world.saved = undefined;
    for (let number = 0; number < 100; number++) {
      world.set(number, number + 1, 1);
      await world.pass(100);
      if (world.saved !== undefined) saves++;
      world.saved = undefined;
    }
    assert.ok(saves <= 3, `${saves} in 10 s`);
  });

  test("where nothing is known of before, what the registry holds of ours is not taken away either", async () => {
    const world = new World(await full(100));
    await world.pass();
    assert.equal(world.publication.view().state, "held");
  });
});
