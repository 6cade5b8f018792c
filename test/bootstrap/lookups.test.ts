import assert from "node:assert/strict";
import { test } from "node:test";
import { DeviceDirectory, DeviceLog, type LookupOutcome, Lookups, type LookupsOptions } from "../../src/bootstrap/index.ts";
import type { Lookup, LookupReply } from "../../src/control/index.ts";
import { VirtualClock } from "../../src/lib/clock.ts";
import { seededRandom } from "../../src/lib/random.ts";
import { builtInRecipe } from "../../src/naming/index.ts";
import { assignment, LogBook, STATIC_URI } from "./lockstep.ts";

interface Site {
  readonly clock: VirtualClock;
  readonly directory: DeviceDirectory;
  readonly lookups: Lookups;
  readonly asked: Lookup[];
  readonly log: LogBook;
  /** Answers the questions that wait. */
  answer(reply: LookupReply | Error): Promise<void>;
}

function site(options: Partial<LookupsOptions> = {}, named = true): Site {
  const clock = new VirtualClock(1000);
  const log = new LogBook();
  const directory = new DeviceDirectory(log);
  if (named) {
    directory.apply({ type: "fleet", uri: STATIC_URI, recipe: builtInRecipe("berth-1"), skew: 0 }, () => false);
  }
  const asked: Lookup[] = [];
  let waiting: { resolve(reply: LookupReply): void; reject(error: Error): void }[] = [];
  const lookups = new Lookups({
    directory,
    ask: (lookup) => {
      asked.push(lookup);
      return new Promise((resolve, reject) => waiting.push({ resolve, reject }));
    },
    clock,
    log: new DeviceLog(log, clock, seededRandom(1)),
    ...options,
  });
  const answer = async (reply: LookupReply | Error): Promise<void> => {
    for (const { resolve, reject } of waiting) reply instanceof Error ? reject(reply) : resolve(reply);
    waiting = [];
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { clock, directory, lookups, asked, log, answer };
}

test("a device of the directory is not asked for", () => {
  const { directory, lookups, asked } = site();
  const device = directory.add(assignment("urn:dev:1"));
  assert.equal(lookups.byIdentity("id-urn:dev:1"), device);
  assert.equal(lookups.byEndpoint("urn:dev:1"), device);
  assert.equal(asked.length, 0);
});

test("a device the balancer hands over joins the directory", async () => {
  const { directory, lookups, asked, answer } = site();
  const outcome = lookups.byIdentity("id-urn:dev:1");
  await answer({ assignment: assignment("urn:dev:1") });
  assert.deepEqual(await outcome, directory.byEndpoint("urn:dev:1"));
  assert.deepEqual(asked, [{ identity: "id-urn:dev:1" }]);
});

test("the same device is asked for once at a time", async () => {
  const { lookups, asked, answer } = site();
  const outcomes = [lookups.byIdentity("a"), lookups.byIdentity("a"), lookups.byEndpoint("a")];
  assert.deepEqual(asked, [{ identity: "a" }, { endpoint: "a" }]);
  await answer({ refused: "unknown" });
  assert.deepEqual(await Promise.all(outcomes), ["unknown", "unknown", "unknown"]);
});

test("a refusal is remembered for two seconds", async () => {
  const { clock, lookups, asked, answer } = site();
  const first = lookups.byIdentity("stranger");
  await answer({ refused: "completed" });
  assert.equal(await first, "completed");
  clock.advance(1999);
  assert.equal(lookups.byIdentity("stranger"), "completed");
  assert.equal(asked.length, 1);
  clock.advance(1);
  void lookups.byIdentity("stranger");
  assert.equal(asked.length, 2);
});

test("a refused device that is assigned then is found at once", async () => {
  const { directory, lookups, answer } = site();
  void lookups.byIdentity("id-urn:dev:1");
  await answer({ refused: "completed" });
  const device = directory.add(assignment("urn:dev:1"));
  assert.equal(lookups.byIdentity("id-urn:dev:1"), device);
});

test("that the balancer did not answer is not remembered", async () => {
  const { lookups, asked, answer, log } = site();
  const first = lookups.byIdentity("a");
  await answer(new Error("no balancer at http://127.0.0.1:1"));
  assert.equal(await first, "unavailable");
  log.says(/could not ask the balancer for a device .*"identity":"a".*no balancer at/);
  void lookups.byIdentity("a");
  assert.equal(asked.length, 2);
});

test("strangers cannot flood the balancer: so many questions at once, the others wait for another try", async () => {
  const { lookups, asked, answer } = site({ atOnce: 3 });
  const outcomes: (LookupOutcome | Promise<LookupOutcome>)[] = ["a", "b", "c", "d", "e"].map((name) => lookups.byIdentity(name));
  assert.deepEqual(outcomes.slice(3), ["unavailable", "unavailable"]);
  await answer({ refused: "unknown" });
  assert.equal(asked.length, 3);
  void lookups.byIdentity("d");
  assert.equal(asked.length, 4, "d was not remembered as refused");
});

test("before the fleet's naming is known nothing is asked", () => {
  const { lookups, asked } = site({}, false);
  assert.equal(lookups.byIdentity("a"), "unavailable");
  assert.equal(asked.length, 0);
});

test("what the control API would not take is unknown without asking", () => {
  const { lookups, asked } = site();
  assert.equal(lookups.byIdentity(""), "unknown");
  assert.equal(lookups.byIdentity("i".repeat(129)), "unknown");
  assert.equal(lookups.byEndpoint("e".repeat(256)), "unknown");
  assert.equal(asked.length, 0);
});
