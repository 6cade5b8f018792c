import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { RegistryFenced, RegistryRefused, RegistryUnavailable, ZoneContents } from "../../src/dns/index.ts";
import { host, World, ZONE } from "./publication-world.ts";

/* Publication follows the zone table into a registry that is a Map here, under a clock that the test moves. */

describe("publication (spec R3, R4)", () => {
  test("all that the table says is in the registry at first, and what changes later", async () => {
    const world = new World();
    world.set(0, 20);
    assert.equal(world.publication.view().state, "behind");
    await world.pass();
    assert.equal(world.registry.contents.size, 20);
    world.set(20, 30);
    world.table.delete(1, host(0));
    await world.pass();
    assert.equal(world.registry.contents.size, 29);
    assert.deepEqual(world.registry.writes, [11]);
    const { state, names, waiting, since } = world.publication.view();
    assert.deepEqual({ state, names, waiting, since }, { state: "following", names: 29, waiting: 0, since: null });
  });

  test("an epoch goes in writes of a size that the registry takes", async () => {
    const world = new World();
    await world.pass();
    const epoch = world.table.beginGeneration(2, 12_000);
    for (let number = 0; number < 12_000; number++) epoch.add(`e${number}.${ZONE}`, number % 2);
    world.table.publish(epoch);
    await world.pass(1000);
    assert.deepEqual(world.registry.writes, [5000, 5000, 2000]);
    world.table.withdraw(2);
    await world.pass(1000);
    assert.equal(world.registry.contents.size, 0);
  });

  test("B10: a registry that is too slow for the lead of an epoch is said", async () => {
    const world = new World();
    await world.pass();
    world.registry.takes = 20_000;
    const epoch = world.table.beginGeneration(2, 12_000);
    for (let number = 0; number < 12_000; number++) epoch.add(`e${number}.${ZONE}`, 0);
    world.table.publish(epoch);
    await world.pass(70_000);
    assert.deepEqual(world.registry.writes, [5000, 5000, 2000]);
    assert.equal(world.log.filter((line) => line.includes("epochs.lead")).length, 1);
  });

  test("what a registry does not take waits, is told once, and goes when it does", async () => {
    const world = new World();
    await world.pass();
    world.registry.fails = new RegistryUnavailable("servfail", "192.0.2.53:53 answers SERVFAIL");
    const decided = world.clock.now();
    world.set(0, 5);
    await world.pass(3000);
    world.set(5, 7);
    await world.pass(3000);
    const { state, waiting, since, explanation } = world.publication.view();
    assert.deepEqual([state, waiting, explanation], ["failing", 7, "192.0.2.53:53 answers SERVFAIL"]);
    assert.ok(since !== null && since - decided <= 50);
    assert.equal(world.log.filter((line) => line.includes("SERVFAIL")).length, 1);
    world.registry.fails = undefined;
    await world.pass(20_000);
    assert.equal(world.registry.contents.size, 7);
    assert.equal(world.publication.view().state, "following");
  });

  test("R6: without the lease nothing is written, and all that waits goes when it is back", async () => {
    const world = new World();
    await world.pass();
    world.leads = false;
    world.set(0, 5);
    await world.pass(2000);
    assert.equal(world.registry.contents.size, 0);
    assert.equal(world.publication.view().state, "waiting");
    assert.equal(world.suspended, 1);
    world.leads = true;
    await world.pass();
    assert.equal(world.registry.contents.size, 5);
  });

  test("R6: a balancer that is shut out by another writes nothing any more, and says so", async () => {
    const world = new World();
    await world.pass();
    world.registry.fails = new RegistryFenced("fenced", "another balancer has taken the zone over, with term 8");
    world.set(0, 5);
    await world.pass();
    const { fails } = world.registry;
    world.registry.fails = undefined;
    await world.pass(60_000);
    assert.equal(world.registry.contents.size, 0);
    assert.equal(world.publication.view().state, "fenced");
    assert.match(world.publication.view().explanation ?? "", /with term 8/);
    assert.ok(world.log.some((line) => line.includes("berth compare")));
    // Whoever asks for a comparison has it tried once: the other may be gone, as after a restore.
    world.registry.fails = fails;
    const refused = assert.rejects(world.publication.compare(), RegistryFenced);
    await world.pass(60_000);
    await refused;
    assert.equal(world.publication.view().state, "fenced");
    world.registry.fails = undefined;
    world.leads = false;
    await assert.rejects(world.publication.compare(), RegistryFenced);
    world.leads = true;
    const compared = world.publication.compare();
    await world.pass();
    await compared;
    assert.deepEqual([world.registry.contents.size, world.publication.view().state], [5, "following"]);
  });

  test("a zone that is not as it was left is compared anew", async () => {
    const world = new World();
    world.set(0, 5);
    await world.pass();
    world.registry.contents = new ZoneContents();
    world.registry.fails = new RegistryRefused("zone", "the owner record is gone");
    world.set(5, 6);
    await world.pass();
    world.registry.fails = undefined;
    await world.pass(20_000);
    assert.equal(world.registry.contents.size, 6);
    assert.equal(world.publication.view().state, "following");
  });

  test("a comparison on demand mends what somebody else has changed", async () => {
    const world = new World();
    world.set(0, 5);
    await world.pass();
    world.registry.contents = new ZoneContents();
    const compared = world.publication.compare();
    await world.pass();
    await compared;
    assert.equal(world.registry.contents.size, 5);
  });

  test("who asks for a comparison while one is under way gets another", async () => {
    const world = new World();
    world.set(0, 5);
    let go = (): void => {};
    world.registry.until = new Promise<void>((resolve) => {
      go = resolve;
    });
    await world.pass();
    const compared = world.publication.compare();
    go();
    await world.pass();
    assert.equal(world.registry.replaced, 2);
    await compared;
    assert.equal(world.publication.view().state, "following");
  });

  test("R6: a comparison in which the lead was lost for a moment is made again", async () => {
    const world = new World();
    world.set(0, 5);
    let go = (): void => {};
    world.registry.until = new Promise<void>((resolve) => {
      go = resolve;
    });
    await world.pass();
    world.leads = false;
    await world.pass();
    world.leads = true;
    const { suspended } = world;
    go();
    await world.pass();
    assert.ok(world.suspended > suspended, "what the comparison began is ended");
    assert.equal(world.publication.view().state, "failing");
    await world.pass(1000);
    assert.deepEqual([world.registry.replaced, world.publication.view().state], [2, "following"]);
  });

  test("it wants to be ticked while a write is under way: the lead may be lost, and servers are to be looked at", async () => {
    const world = new World();
    await world.pass();
    world.registry.until = new Promise(() => {});
    world.set(0, 5);
    await world.pass();
    assert.ok(world.publication.nextDeadline() <= world.clock.now());
    world.leads = false;
    await world.pass();
    assert.equal(world.suspended, 1);
  });

  test("after more changes than are worth remembering all is compared, and no brake holds what following would have written", async () => {
    const world = new World();
    world.set(0, 100);
    await world.pass();
    world.registry.fails = new RegistryUnavailable("servfail", "192.0.2.53:53 answers SERVFAIL");
    for (let turn = 0; turn < 4000; turn++) world.set(0, 100, turn % 2);
    for (let number = 0; number < 60; number++) world.table.delete(1, host(number));
    await world.pass(5000);
    assert.equal(world.registry.contents.size, 100);
    world.registry.fails = undefined;
    await world.pass(20_000);
    assert.deepEqual([world.registry.contents.size, world.registry.replaced], [40, 2]);
    assert.equal(world.publication.view().state, "following");
  });

  test("closing does not wait for a server that does not answer", async () => {
    const world = new World();
    world.set(0, 5);
    await world.pass();
    world.registry.until = new Promise((_, reject) => {
      world.registry.close = async () => reject(new RegistryUnavailable("connection", "closed on this side"));
    });
    world.set(5, 6);
    await world.pass();
    await world.publication.close();
    assert.equal(world.registry.contents.size, 5);
  });

  test("closing ends what is under way and gives the registry back", async () => {
    const world = new World();
    world.set(0, 5);
    world.publication.tick();
    await world.publication.close();
    assert.equal(world.registry.closed, true);
    assert.deepEqual(world.saved, { steps: ["1"], names: 5 });
    world.set(5, 9);
    await world.pass();
    assert.equal(world.registry.contents.size, 5);
  });
});
