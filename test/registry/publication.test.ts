import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  type Registry,
  RegistryFenced,
  RegistryHeld,
  RegistryRefused,
  RegistryUnavailable,
  readNameStates,
  type Written,
  ZoneContents,
  ZoneTable,
} from "../../src/dns/index.ts";
import { VirtualClock } from "../../src/lib/clock.ts";
import type { LogFields } from "../../src/lib/log.ts";
import { seededRandom } from "../../src/lib/random.ts";
import { Observer, Publication, type Published } from "../../src/registry/index.ts";

/* Publication follows the zone table into a registry that is a Map here, under a clock that the test moves. */

const ZONE = "bs.example.com";
const host = (number: number): string => `n${number}.${ZONE}`;

/** A registry that does as it is told to, or throws what it is told to. */
class FakeRegistry implements Registry {
  contents = new ZoneContents();
  readonly writes: number[] = [];
  fails: Error | undefined;
  replaced = 0;
  closed = false;
  /** How long a write takes, by the clock that the test moves, ms. */
  takes = 0;
  clock: VirtualClock | undefined;
  /** What a write or comparison waits for. */
  until: Promise<unknown> = Promise.resolve();

  async replace(all: AsyncIterable<Uint8Array>, limit: number): Promise<Written> {
    const desired = new ZoneContents();
    for await (const states of all) for (const state of readNameStates(states)) desired.set(state);
    await this.until;
    if (this.fails !== undefined) throw this.fails;
    const removed = [...this.contents.entries()].filter(({ name }) => desired.get(name) === undefined).length;
    const plan = { added: desired.size, changed: 0, removed, held: this.contents.size };
    if (removed > limit * this.contents.size) throw new RegistryHeld(`${removed} of ${this.contents.size} names would go`, plan);
    this.contents = desired;
    this.replaced++;
    return { changed: desired.size, serial: null, names: desired.size };
  }

  async write(states: Uint8Array): Promise<Written> {
    await this.until;
    if (this.fails !== undefined) throw this.fails;
    this.clock?.advance(this.takes);
    const all = [...readNameStates(states)];
    for (const state of all) this.contents.set(state);
    this.writes.push(all.length);
    return { changed: all.length, serial: null, names: this.contents.size };
  }

  async close(): Promise<void> {
    this.closed = true;
  }
}

/** A zone table, a registry, and what brings the one into the other. */
class World {
  readonly clock = new VirtualClock(1_000_000);
  readonly table = new ZoneTable({ zone: ZONE, seed: new Uint8Array(16).fill(3), followed: true });
  readonly registry: FakeRegistry;
  readonly publication: Publication;
  readonly log: string[] = [];
  leads = true;
  suspended = 0;
  steps: readonly string[] = ["1"];
  saved: Published | undefined;
  /** The share of devices whose state is not in the database yet. */
  unstored = 0;

  constructor(registry: FakeRegistry = new FakeRegistry(), before?: Published) {
    this.registry = registry;
    registry.clock = this.clock;
    this.saved = before;
    const { feed } = this.table;
    assert.ok(feed !== undefined);
    const keep = (fields: LogFields, message: string): void => void this.log.push(`${message} ${JSON.stringify(fields)}`);
    const log = { debug: keep, info: keep, warn: keep, error: keep };
    const ask = (): Promise<never> => Promise.reject(new Error("nobody is asked here"));
    const observer = new Observer({ zone: ZONE, servers: [], clock: this.clock, random: seededRandom(1), ask, log });
    this.publication = new Publication({
      kind: "rfc2136",
      feed,
      size: () => this.table.size,
      unstored: () => this.unstored,
      registry,
      observer,
      mayWrite: () => this.leads,
      suspend: () => {
        this.suspended++;
      },
      pace: 100,
      largest: 5000,
      inTime: 30_000,
      brake: 0.3,
      steps: () => this.steps,
      store: {
        load: async () => this.saved,
        save: async (published) => {
          this.saved = published;
        },
      },
      clock: this.clock,
      breathe: async () => {},
      pause: async () => {},
      log,
    });
    this.table.setInstance(0, { ipv4: "192.0.2.1" });
    this.table.setInstance(1, { ipv4: "192.0.2.2" });
    this.table.publish(this.table.beginGeneration(1, 100));
  }

  set(from: number, to: number, instance: number = 0): void {
    for (let number = from; number < to; number++) this.table.set(1, host(number), instance);
  }

  /** Lets time pass until all that can be done is done. */
  async pass(span: number = 200): Promise<void> {
    for (let passed = 0; passed < span; passed += 50) {
      this.clock.advance(50);
      this.publication.tick();
      for (let turn = 0; turn < 50; turn++) await Promise.resolve();
    }
  }
}

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
