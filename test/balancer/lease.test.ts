import assert from "node:assert/strict";
import { test } from "node:test";
import { fencedStorage, Lease, type LeaseOptions } from "../../src/balancer/index.ts";
import { type Milliseconds, VirtualClock } from "../../src/lib/clock.ts";
import { breathe, monotonicClock } from "../../src/net/index.ts";
import type { Storage } from "../../src/storage/index.ts";
import { FakeStorage } from "./fake-storage.ts";
import { listeningLogger, MINUTE, NOW } from "./world.ts";

const SPAN = 10_000;

/** A database's lease, with a clock of its own; `away` makes it not answer, `slow` answer after that long. */
class FakeLeases {
  readonly clock: VirtualClock = new VirtualClock(0);
  away = false;
  held: Promise<void> = Promise.resolve();
  renewals = 0;
  #lease = { holder: "", term: 0, until: 0 };

  readonly leases: Storage["leases"] = {
    take: async (_name, holder, span, exclusive = false) => {
      await this.#answer();
      const { holder: last, term, until } = this.#lease;
      const left = until - this.clock.now();
      if (last !== "" && last !== holder && left > 0 && !exclusive) return { taken: false, holder: last, left };
      this.#lease = { holder, term: last === holder ? term : term + 1, until: this.clock.now() + span };
      return { taken: true, term: this.#lease.term, from: last === "" || last === holder ? null : last };
    },
    renew: async (_name, holder, span) => {
      await this.#answer();
      this.renewals++;
      if (this.#lease.holder !== holder) return false;
      this.#lease = { ...this.#lease, until: this.clock.now() + span };
      return true;
    },
    release: async (_name, holder) => {
      await this.#answer();
      if (this.#lease.holder === holder) this.#lease = { ...this.#lease, holder: "" };
    },
  };

  async #answer(): Promise<void> {
    await this.held;
    if (this.away) throw new Error("the database is away");
  }
}

/** A balancer's side of it: its own clock, which may stand or jump. */
class Side {
  readonly clock: VirtualClock = new VirtualClock(NOW);
  readonly log = listeningLogger();
  readonly database: FakeLeases;
  readonly holder: string;
  lease: Lease | undefined;
  lost = 0;

  constructor(database: FakeLeases, holder: string) {
    this.database = database;
    this.holder = holder;
  }

  async take(more: Partial<LeaseOptions> = {}): Promise<this> {
    const { database, holder, clock, log } = this;
    const wait = async (span: Milliseconds): Promise<void> => {
      clock.advance(span);
      database.clock.advance(span);
      await breathe();
    };
    this.lease = await Lease.take({ storage: database, holder, exclusive: false, time: clock, log, wait, ...more });
    this.lease.onLost(() => this.lost++);
    return this;
  }

  get mayWrite(): boolean {
    return this.lease?.mayWrite === true;
  }

  /** What the ticker does. */
  async tick(): Promise<void> {
    if ((this.lease?.nextDeadline() ?? Number.POSITIVE_INFINITY) <= this.clock.now()) this.lease?.tick();
    await this.lease?.idle();
  }

  get said(): string {
    return this.log.lines.map(({ level, message }) => `${level}: ${message}`).join("\n");
  }
}

/** Time passes for the database and for these. */
async function pass(database: FakeLeases, span: Milliseconds, ...sides: Side[]): Promise<void> {
  for (let passed = 0; passed < span; passed += 100) {
    database.clock.advance(100);
    for (const side of sides) side.clock.advance(100);
    for (const side of sides) await side.tick();
  }
}

test("who has the lease renews it every third of its span, and may write all the time (R6)", async () => {
  const database = new FakeLeases();
  const one = await new Side(database, "one").take();
  for (let seconds = 0; seconds < 60; seconds++) {
    await pass(database, 1000, one);
    assert.ok(one.mayWrite);
  }
  assert.ok(database.renewals >= 17 && database.renewals <= 18, String(database.renewals));
  assert.equal(one.lease?.term, 1);
});

test("a second balancer stands by, says whose lease it waits for, and takes over when that is gone (R6)", async () => {
  const database = new FakeLeases();
  const one = await new Side(database, "one").take();
  const two = await new Side(database, "two").take();
  assert.ok(two.clock.now() - NOW >= SPAN, "not before it has run out");
  assert.deepEqual([two.lease?.term, two.lease?.from], [2, "one"]);
  assert.match(two.said, /waiting for the lease that another holds/);
  assert.deepEqual(two.log.lines[0]?.fields, { holder: "one" });
  assert.equal(two.log.lines.filter(({ message }) => message.includes("waiting")).length, 1);
  one.clock.advance(SPAN);
  assert.equal(one.mayWrite, false);
});

test("a lease that is given back is taken at once (R6)", async () => {
  const database = new FakeLeases();
  const one = await new Side(database, "one").take();
  await one.lease?.release();
  assert.equal(one.mayWrite, false);
  const two = await new Side(database, "two").take();
  assert.equal(two.clock.now(), NOW);
  assert.deepEqual([two.lease?.term, two.lease?.from], [2, null]);
  await one.lease?.release();
  await pass(database, 1000, two);
  assert.ok(two.mayWrite, "given back twice does not give back another's");
});

test("one that stands by can be told to stop, and goes on asking while the database is away (R6)", async () => {
  const database = new FakeLeases();
  await new Side(database, "one").take();
  const stop = new AbortController();
  const two = new Side(database, "two");
  let waits = 0;
  const wait = async (): Promise<void> => {
    waits++;
    database.away = waits === 2;
    if (waits === 4) stop.abort();
  };
  await assert.rejects(two.take({ wait, signal: stop.signal }), { code: "aborted" });
  assert.match(two.said, /standing by: the database does not answer/);
  database.away = true;
  await assert.rejects(new Side(database, "three").take(), /the database is away/);
});

test("a process that stood still for longer than the lease writes nothing when it goes on, be it its own yet or not (R6)", async () => {
  for (const another of [false, true]) {
    const database = new FakeLeases();
    const one = await new Side(database, "one").take();
    const fenced = fencedStorage(new FakeStorage(), {
      get mayWrite() {
        return one.mayWrite;
      },
    });
    await fenced.settings.put("a", 1);
    one.clock.advance(MINUTE);
    database.clock.advance(MINUTE);
    if (another) await new Side(database, "two").take();
    assert.equal(one.mayWrite, false);
    await assert.rejects(fenced.settings.put("a", 2), { code: "fenced" });
    assert.equal(await fenced.settings.get("a"), 1, "reading is no harm");
    await one.tick();
    assert.equal(one.mayWrite, !another);
    assert.equal(one.lease?.lost, another);
    assert.equal(one.lost, another ? 1 : 0);
    assert.match(one.said, another ? /error: another balancer has taken the lease/ : /the lease is still ours/);
  }
});

test("what is lost stays lost: no renewal follows, and giving it back does nothing (R6)", async () => {
  const database = new FakeLeases();
  const one = await new Side(database, "one").take();
  one.clock.advance(MINUTE);
  database.clock.advance(MINUTE);
  const two = await new Side(database, "two").take();
  await one.tick();
  const { renewals } = database;
  await two.lease?.release();
  await pass(database, MINUTE, one);
  await one.lease?.release();
  assert.equal(database.renewals, renewals);
  assert.equal(one.mayWrite, false);
  let called = 0;
  one.lease?.onLost(() => called++);
  assert.equal(called, 1, "who asks late is told at once");
});

test("while the database is away nothing may be written after 8 of the 10 s, and again once it answers (R6)", async () => {
  const database = new FakeLeases();
  const one = await new Side(database, "one").take();
  database.away = true;
  await pass(database, 7900, one);
  assert.ok(one.mayWrite);
  await pass(database, 200, one);
  assert.equal(one.mayWrite, false);
  assert.match(one.said, /error: the lease was not renewed in time/);
  await pass(database, MINUTE, one);
  assert.equal(one.mayWrite, false);
  database.away = false;
  await pass(database, 1100, one);
  assert.ok(one.mayWrite);
});

test("an answer that comes late counts from when it was asked for (R6)", async () => {
  const database = new FakeLeases();
  const one = await new Side(database, "one").take();
  await pass(database, 3300, one);
  let answer = (): void => {};
  database.held = new Promise((resolve) => {
    answer = resolve;
  });
  one.clock.advance(100);
  one.lease?.tick();
  one.clock.advance(7000);
  answer();
  await one.lease?.idle();
  assert.ok(one.mayWrite, "7 of 10 s since it was asked for");
  one.clock.advance(1000);
  assert.equal(one.mayWrite, false, "8 s");
});

test("a process that stood still while the time of day was set back by as much writes nothing when it goes on (R6)", async (t) => {
  const database = new FakeLeases();
  const one = await new Side(database, "one").take({ time: monotonicClock });
  assert.ok(one.mayWrite);
  const [runs, shows] = [performance.now(), Date.now()];
  t.mock.method(performance, "now", () => runs + MINUTE);
  assert.equal(Date.now() - shows < SPAN, true, "the time of day is what it was a minute ago");
  assert.equal(one.mayWrite, false);
});

test("setting the time of day does not shorten the lease, nor is it renewed more often for it (R6)", async (t) => {
  const database = new FakeLeases();
  const one = await new Side(database, "one").take({ time: monotonicClock });
  const shows = Date.now();
  for (const set of [MINUTE, -MINUTE]) {
    t.mock.method(Date, "now", () => shows + set);
    assert.ok(one.mayWrite);
    assert.ok((one.lease?.nextDeadline() ?? 0) > performance.now());
  }
});

test("where no other can be, a lease left behind is taken at once, and never runs out (R6)", async () => {
  const database = new FakeLeases();
  await new Side(database, "crashed").take();
  const one = await new Side(database, "one").take({ exclusive: true });
  assert.deepEqual([one.lease?.term, one.lease?.from, one.clock.now()], [2, null, NOW]);
  await pass(database, MINUTE, one);
  assert.ok(one.mayWrite);
  assert.equal(database.renewals, 0);
});
