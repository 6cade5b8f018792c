import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { CoapEndpoint, Code, type RequestResult } from "../../src/coap/index.ts";
import { seededRandom } from "../../src/lib/random.ts";
import type { TestPeer } from "./lockstep.ts";

interface Weather {
  readonly seed: number;
  readonly loss: number;
  readonly duplication: number;
  /** The longest a datagram is under way, in ms; the shorter ones overtake. */
  readonly latency: number;
  /** The longest a handler takes, in ms. */
  readonly handling: number;
  readonly blockSizes: readonly [number, number];
}

interface Tally {
  readonly requests: number;
  readonly answered: number;
  readonly timedOut: number;
}

const REQUESTS_PER_SIDE = 12;
const NAMES = ["left", "right"] as const;

/** Two endpoints that send requests to each other through a network of that weather, until nothing moves any more. */
function simulate(weather: Weather): Tally {
  const random = seededRandom(weather.seed);
  const events: { at: number; run: () => void }[] = [];
  const later = (delay: number, run: () => void): void => {
    events.push({ at: now + delay, run });
  };
  let now = 1_000;
  const handled = new Map<string, number>();
  const results = new Map<string, RequestResult[]>();
  const endpoints = NAMES.map((name, side) => {
    const other = 1 - side;
    return new CoapEndpoint<TestPeer>(
      { random: seededRandom(weather.seed + side), blockSize: weather.blockSizes[side] ?? 1_024, maxRememberedPerPeer: 1_000 },
      {
        send: (_, datagram) => {
          const copies = random.uniform() < weather.loss ? 0 : random.uniform() < weather.duplication ? 2 : 1;
          for (let copy = 0; copy < copies; copy++) {
            later(random.uniform() * weather.latency, () => endpoints[other]?.receive({ key: name }, datagram, now));
          }
        },
        request: (request) => {
          const id = `${request.query[0]} of ${NAMES[other]}`;
          handled.set(id, (handled.get(id) ?? 0) + 1);
          const payload = Buffer.concat([Buffer.from(`${id}:`), request.payload]);
          const respond = () => request.respond({ code: Code.content, payload }, now);
          const delay = random.uniform() * weather.handling;
          if (delay < 1) respond();
          else later(delay, respond);
        },
      },
    );
  });
  NAMES.forEach((name, side) => {
    for (let index = 0; index < REQUESTS_PER_SIDE; index++) {
      const id = `${index} of ${name}`;
      const payload = Buffer.alloc(Math.floor(random.uniform() * 200), index);
      results.set(id, []);
      later(random.uniform() * 20_000, () => {
        endpoints[side]?.request(
          { key: NAMES[1 - side] ?? "" },
          { method: "POST", path: ["echo"], query: [String(index)], payload },
          now,
          (result) => {
            results.get(id)?.push(result);
            if (!("response" in result)) return;
            // the right response to the right request, whole
            assert.deepEqual(Buffer.from(result.response.payload), Buffer.concat([Buffer.from(`${id}:`), payload]));
          },
        );
      });
    }
  });
  for (;;) {
    const deadlines = endpoints.map((endpoint) => endpoint.nextDeadline() ?? Number.POSITIVE_INFINITY);
    events.sort((a, b) => a.at - b.at);
    const next = Math.min(events[0]?.at ?? Number.POSITIVE_INFINITY, ...deadlines);
    if (next === Number.POSITIVE_INFINITY) break;
    now = Math.max(now, next);
    if ((events[0]?.at ?? Number.POSITIVE_INFINITY) <= now) events.shift()?.run();
    else for (const endpoint of endpoints) endpoint.tick(now);
  }
  for (const [id, times] of handled) assert.ok(times <= 1, `${id} was handled ${times} times`);
  let answered = 0;
  let timedOut = 0;
  for (const [id, all] of results) {
    assert.equal(all.length, 1, `${id} has ${all.length} results`);
    const [result] = all;
    if (result !== undefined && "response" in result) {
      answered++;
      assert.equal(handled.get(id), 1);
    } else {
      assert.deepEqual(result, { failure: "timeout" });
      timedOut++;
    }
  }
  for (const endpoint of endpoints) assert.deepEqual(endpoint.counts(), { peers: 0, remembered: 0, bodies: 0, timers: 0 });
  return { requests: results.size, answered, timedOut };
}

const SIZES = [16, 32, 64, 1_024];

test("in any weather a request is answered once, rightly, or times out, and is handled at most once", () => {
  const weather: fc.Arbitrary<Weather> = fc.record({
    seed: fc.nat(),
    loss: fc.double({ min: 0, max: 0.3, noNaN: true }),
    duplication: fc.double({ min: 0, max: 0.3, noNaN: true }),
    latency: fc.constantFrom(0, 50, 1_500, 5_000),
    handling: fc.constantFrom(0, 1_000, 5_000),
    blockSizes: fc.tuple(fc.constantFrom(...SIZES), fc.constantFrom(...SIZES)),
  });
  fc.assert(
    fc.property(weather, (conditions) => {
      const tally = simulate(conditions);
      assert.equal(tally.answered + tally.timedOut, tally.requests);
    }),
    { numRuns: 100 },
  );
});

test("without loss every request is answered", () => {
  const calm = { seed: 5, loss: 0, duplication: 0.3, latency: 200, handling: 2_000, blockSizes: [64, 32] } as const;
  assert.deepEqual(simulate(calm), { requests: 24, answered: 24, timedOut: 0 });
});

test("with 20 % loss nearly all requests are answered", () => {
  let answered = 0;
  for (let seed = 0; seed < 20; seed++) {
    answered += simulate({ seed, loss: 0.2, duplication: 0.05, latency: 200, handling: 0, blockSizes: [1_024, 1_024] }).answered;
  }
  assert.ok(answered >= 0.95 * 20 * 24, `${answered} of ${20 * 24}`);
});
