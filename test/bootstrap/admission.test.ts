import assert from "node:assert/strict";
import { test } from "node:test";
import { Admission, type AdmissionOptions } from "../../src/bootstrap/index.ts";
import type { Instant } from "../../src/lib/clock.ts";
import { type Fate, type Outcome, play, type Storm, WHOLE } from "./storm-model.ts";

const AUTO = { handshakesPerSecond: "auto", sessions: "auto" } as const;
/** What the modelled instance could serve if it did nothing else. */
const PER_SECOND = 1000 / WHOLE;
const SECOND = 1000;

function spread(count: number, from: Instant, to: Instant): Instant[] {
  return Array.from({ length: count }, (_, index) => from + ((to - from) * index) / count);
}

function storm(storm: Partial<Storm> & Pick<Storm, "arrivals" | "until">): Outcome {
  return play({ roundTrip: 100, admission: AUTO, ...storm });
}

const done = ({ fates }: Outcome): Fate[] => fates.filter(({ completed }) => completed !== undefined);

/** The share `p` of the sessions that completed took no longer. */
function sessionTime(outcome: Outcome, p: number): number {
  const times = done(outcome).map(({ completed = 0, accepted = 0 }) => completed - accepted);
  return times.sort((a, b) => a - b)[Math.floor(times.length * p)] ?? Number.NaN;
}

function completedBetween(outcome: Outcome, from: Instant, to: Instant): number {
  return done(outcome).filter(({ completed = 0 }) => completed >= from && completed < to).length;
}

test("three times what it can serve: all that begin complete, as fast as ever, at 70 % of the rate it has for nothing else; without admission next to none do (S6)", () => {
  const overload = { arrivals: spread(PER_SECOND * 3 * 20, 0, 20 * SECOND), until: 20 * SECOND, once: 0.2 };
  const admitted = storm(overload);
  assert.equal(admitted.fates.filter(({ failed }) => failed !== undefined).length, 0);
  assert.equal(admitted.dropped, 0, "nothing is lost in the socket");
  assert.ok(sessionTime(admitted, 0.999) < 2 * SECOND, `sessions take ${sessionTime(admitted, 0.999)} ms`);
  const perSecond = completedBetween(admitted, 10 * SECOND, 20 * SECOND) / 10;
  assert.ok(perSecond > 0.7 * PER_SECOND, `${perSecond} a second of ${PER_SECOND}`);
  const collapsed = play({ ...overload, roundTrip: 100 });
  assert.ok(completedBetween(collapsed, 10 * SECOND, 20 * SECOND) / 10 < 0.2 * PER_SECOND, "the model shows the danger");
});

test("devices are served in the order they came, also those that say their ClientHello once", () => {
  const outcome = storm({ arrivals: spread(PER_SECOND * 2 * 4, 0, 4 * SECOND), until: 60 * SECOND, once: 0.5 });
  assert.equal(done(outcome).length, outcome.fates.length);
  const order = outcome.fates.map(({ accepted = 0 }) => accepted);
  for (const [index, at] of order.entries()) {
    assert.ok(at <= (order[index + 50] ?? Number.POSITIVE_INFINITY) + SECOND, `device ${index} at ${at}`);
  }
});

test("nobody starves where the wait is longer than some have patience: they are served, and those that wait in silence too", () => {
  const crowd = { arrivals: spread(PER_SECOND * 3 * 20, 0, 20 * SECOND), patience: 10 * SECOND };
  const overloaded = storm({ ...crowd, until: 20 * SECOND });
  const perSecond = completedBetween(overloaded, 10 * SECOND, 20 * SECOND) / 10;
  assert.ok(perSecond > 0.5 * PER_SECOND, `${perSecond} a second of ${PER_SECOND}, though many of those in line have gone`);
  const outcome = storm({ arrivals: spread(PER_SECOND * 2 * 10, 0, 10 * SECOND), until: 60 * SECOND, once: 0.5 });
  assert.equal(done(outcome).length, outcome.fates.length);
  assert.equal(outcome.admission.load().turnedAway, 0);
});

test("a burst of six seconds' work in two is over soon after that, without a loss", () => {
  const outcome = storm({ arrivals: spread(PER_SECOND * 6, 0, 2 * SECOND), until: 60 * SECOND, once: 0.2 });
  assert.equal(done(outcome).length, outcome.fates.length);
  const last = Math.max(...outcome.fates.map(({ completed = 0 }) => completed));
  assert.ok(last < 9 * SECOND, `the last is done after ${last} ms`);
});

test("when an overload is over, devices are served at once again", () => {
  const crowd = spread(PER_SECOND * 3 * 5, 0, 5 * SECOND);
  const outcome = storm({ arrivals: [...crowd, ...spread(1000, 25 * SECOND, 35 * SECOND)], until: 60 * SECOND });
  assert.equal(done(outcome).length, outcome.fates.length);
  const later = outcome.fates.filter(({ arrived }) => arrived >= 25 * SECOND);
  const longest = Math.max(...later.map(({ arrived, completed = 0 }) => completed - arrived));
  assert.ok(longest < 2 * SECOND, `${longest} ms`);
});

test("devices that are two seconds away are not taken for load, nor what they have begun for capacity", () => {
  const outcome = storm({ arrivals: spread(PER_SECOND * 5, 0, 5 * SECOND), roundTrip: 2 * SECOND, until: 60 * SECOND });
  assert.equal(done(outcome).length, outcome.fates.length);
  const { handshakesPerSecond } = outcome.admission.load();
  assert.ok(handshakesPerSecond < 2.1 * PER_SECOND, `${handshakesPerSecond} is more than before anything was measured`);
});

test("the budget found is what can be served, less a tenth for the rest", () => {
  const outcome = storm({ arrivals: spread(PER_SECOND * 0.9 * 15, 0, 15 * SECOND), until: 20 * SECOND });
  const { handshakesPerSecond } = outcome.admission.load();
  assert.ok(
    handshakesPerSecond > 0.8 * PER_SECOND && handshakesPerSecond < PER_SECOND,
    `${handshakesPerSecond} of ${PER_SECOND}`,
  );
});

test("when others take the processor, it brakes: sessions stay short, and all complete", () => {
  const taken = { from: 3 * SECOND, to: 8 * SECOND, share: 0.6 };
  const arrivals = spread(PER_SECOND * 0.7 * 12, 0, 12 * SECOND);
  const outcome = storm({ arrivals, until: 60 * SECOND, taken });
  assert.equal(done(outcome).length, outcome.fates.length);
  assert.ok(sessionTime(outcome, 0.999) < 3 * SECOND, `sessions take ${sessionTime(outcome, 0.999)} ms`);
});

test("ClientHellos of forged senders use up no budget: real devices among sixty times as many wait a moment at its beginning", () => {
  const outcome = storm({ arrivals: spread(1000, 0, 20 * SECOND), forged: 3000, until: 40 * SECOND });
  assert.equal(done(outcome).length, outcome.fates.length);
  const waits = outcome.fates
    .filter(({ arrived }) => arrived > 5 * SECOND)
    .map(({ arrived, completed = 0 }) => completed - arrived);
  assert.ok(Math.max(...waits) < 2 * SECOND, `${Math.max(...waits)} ms`);
});

test("a rate that is set holds in any window, and a burst adds half a second of it at most", () => {
  const { accepted } = storm({
    arrivals: spread(6000, SECOND, 3 * SECOND),
    admission: { handshakesPerSecond: 200, sessions: "auto" },
    until: 20 * SECOND,
  });
  assert.ok(accepted.length > 3000);
  for (const [index, at] of accepted.entries()) {
    for (const window of [100, SECOND, 5 * SECOND]) {
      const end = accepted.findIndex((other) => other >= at + window);
      const count = (end === -1 ? accepted.length : end) - index;
      assert.ok(count <= (200 * window) / 1000 + 100 + 1, `${count} in ${window} ms from ${at} on`);
    }
  }
});

test("a number of sessions that is set is never exceeded, and used in full", () => {
  const { mostInProgress, fates } = storm({
    arrivals: spread(400, 0, 2 * SECOND),
    roundTrip: 500,
    admission: { handshakesPerSecond: "auto", sessions: 40 },
    until: 60 * SECOND,
  });
  assert.equal(mostInProgress, 40);
  assert.ok(fates.every(({ completed }) => completed !== undefined));
});

/** An admission by itself: no token is left, so whoever comes has to wait. */
function exhausted(options: Partial<AdmissionOptions> = {}): Admission {
  const admission = new Admission({ handshakesPerSecond: 1, sessions: 10, inProgress: () => 0, ...options });
  assert.equal(admission.admits(0), true);
  assert.equal(admission.admit(0), true);
  return admission;
}

test("who waits is called once, proven ones first, with what was said last", () => {
  const admission = exhausted();
  const calls: string[] = [];
  admission.wait("a", false, () => calls.push("a, first"), 10);
  admission.wait("b", false, () => calls.push("b"), 20);
  admission.wait("c", true, () => calls.push("c, proven"), 30);
  admission.wait("a", false, () => calls.push("a, again"), 40);
  for (let now = 50; now < 5000; now += 20) admission.tick(now);
  assert.deepEqual(calls, ["c, proven", "a, again", "b"]);
  assert.equal(admission.nextDeadline(), undefined);
});

test("nobody who comes later is let in before those who wait", () => {
  const admission = exhausted();
  admission.wait("a", false, () => {}, 10);
  admission.wait("b", false, () => {}, 10);
  admission.tick(1000);
  assert.equal(admission.admits(2000), false, "there would be a token, but it is b's");
  admission.tick(2000);
  assert.equal(admission.admits(3000), true);
});

test("one that is called is let in whatever the budget says, and only while it is called", () => {
  const admission = exhausted();
  const answers: boolean[] = [];
  admission.wait("a", true, (now) => answers.push(admission.admit(now)), 10);
  admission.tick(1000);
  assert.deepEqual(answers, [true]);
  assert.equal(admission.admit(1000), false);
});

test("a fault in one that is called does not let in the next", () => {
  const admission = exhausted();
  admission.wait(
    "a",
    false,
    () => {
      throw new Error("a fault");
    },
    10,
  );
  assert.throws(() => admission.tick(1000));
  assert.equal(admission.admits(1000), false);
});

test("the waiting room has an end: who finds no place is turned away, and who is gone for a minute loses it", () => {
  let inProgress = 0;
  const admission = exhausted({ inProgress: () => inProgress });
  inProgress = 10;
  for (let number = 0; number < 20_010; number++) admission.wait(`${number}`, false, () => {}, 10);
  assert.equal(admission.load().turnedAway, 10);
  admission.wait("5", false, () => {}, 50_000);
  admission.tick(60_020);
  assert.equal(admission.load().turnedAway, 15, "0 to 4 are gone; 5 has said it again, and keeps its place");
  admission.tick(120_000);
  assert.equal(admission.load().turnedAway, 20_010);
  assert.equal(admission.nextDeadline(), undefined);
});

test("some of the session budget is kept for those that have their cookie", () => {
  let inProgress = 95;
  const admission = new Admission({ handshakesPerSecond: 1000, sessions: 100, inProgress: () => inProgress });
  assert.equal(admission.admits(0), false);
  assert.equal(admission.admit(0), true);
  inProgress = 100;
  assert.equal(admission.admit(0), false);
});

test("without a limit that is set, sessions are as many as half the free memory holds", () => {
  const admission = new Admission({ handshakesPerSecond: "auto", sessions: "auto", inProgress: () => 50 });
  const measured = { idle: 0, cpu: 0, handshakes: 0, ended: 0 };
  admission.measure({ ...measured, memory: 160e6 }, 0);
  assert.equal(admission.load().sessions, 1050);
  admission.measure({ ...measured, memory: 0 }, 100);
  assert.equal(admission.load().sessions, 100, "never none at all");
  admission.measure({ ...measured, memory: 1e12 }, 200);
  assert.equal(admission.load().sessions, 20_000);
});

test("the load says whether anybody had to wait since it was last asked", () => {
  const admission = exhausted();
  assert.equal(admission.load().full, false);
  admission.wait("a", false, () => {}, 10);
  admission.tick(1000);
  assert.equal(admission.load().full, true);
  assert.equal(admission.load().full, false);
  admission.wait("b", false, () => {}, 1000);
  assert.equal(admission.load().full, true);
  assert.equal(admission.load().full, true, "it still waits");
});
