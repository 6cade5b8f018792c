import assert from "node:assert/strict";
import { test } from "node:test";
import { type CoapOptions, Code, EXCHANGE_LIFETIME } from "../../src/coap/index.ts";
import { BODY, etagOf, Lockstep } from "./lockstep.ts";

/** What was told of deliveries, with the instant. */
const told = (step: Lockstep): string[] => notes.get(step) ?? [];
const notes: WeakMap<Lockstep, string[]> = new WeakMap();

/** An endpoint whose handler answers at once with so many bytes, and wants to know whether they arrive. */
function answering(bytes: number, options: Partial<CoapOptions> = {}): Lockstep {
  const step = new Lockstep(options);
  const lines: string[] = [];
  notes.set(step, lines);
  step.onRequest = (request, now) => {
    const response = { code: Code.content, payload: BODY.subarray(0, bytes) };
    request.respond(response, now, (delivery, at) => void lines.push(`${delivery} ${at}`));
  };
  return step;
}

test("a response whose delivery is asked about follows the acknowledgement as a confirmable message (RFC 7252 section 5.2.2)", () => {
  //  CLIENT  SERVER
  //    |------>|  CON 7 GET /x
  //    |<------|  ACK 7
  //    | X-----|  CON 1000 2.05    lost
  //    |------>|  CON 7 GET /x     the ACK was lost too
  //    |<------|  ACK 7
  //    |<------|  CON 1000 2.05    again
  //    |------>|  ACK 1000         delivered
  const step = answering(16);
  step.receives("CON 7 GET T=ab /x");
  step.sends("ACK 7", "CON 1000 2.05 T=ab +0-16");
  step.receives("CON 7 GET T=ab /x");
  step.sends("ACK 7");
  step.until(2500);
  step.sends("CON 1000 2.05 T=ab +0-16");
  assert.deepEqual(told(step), []);
  step.receives("ACK 1000");
  step.receives("ACK 1000");
  step.until(100_000);
  assert.deepEqual(told(step), ["delivered 2500"], "once");
  step.sends();
});

test("of a request that was non-confirmable too", () => {
  const step = answering(16);
  step.receives("NON 7 GET T=ab /x");
  step.sends("CON 1000 2.05 T=ab +0-16");
  step.receives("ACK 1000");
  assert.deepEqual(told(step), ["delivered 0"]);
});

test("when the client rejects it, never acknowledges it, or leaves, the sender hears that it was not delivered", () => {
  const reset = answering(16);
  reset.receives("CON 7 GET T=ab /x");
  reset.receives("RST 1000");
  assert.deepEqual(told(reset), ["reset 0"]);

  const silent = answering(16);
  silent.receives("CON 7 GET T=ab /x");
  silent.until(100_000);
  assert.deepEqual(told(silent), ["timeout 77500"], "31 times 2.5 s");

  const gone = answering(16);
  gone.receives("CON 7 GET T=ab /x");
  gone.now = 5;
  gone.endpoint.forget({ key: "p" }, 5);
  gone.until(100_000);
  assert.deepEqual(told(gone), ["cancelled 5"]);
});

test("of a body in blocks, the last block is what counts (RFC 7959)", () => {
  //    |------>|  CON 7 GET /x
  //    |<------|  ACK 7 2.05 2:0/1/64
  //    |------>|  CON 8 GET /x 2:1/0/64
  //    |<------|  ACK 8
  //    |<------|  CON 1000 2.05 2:1/0/64
  //    |------>|  ACK 1000                 delivered
  const step = answering(100, { blockSize: 64 });
  const etag = etagOf(BODY.subarray(0, 100));
  step.receives("CON 7 GET T=ab /x");
  step.sends(`ACK 7 2.05 T=ab etag=${etag} 2:0/1/64 +0-64`);
  step.until(5000);
  step.receives("CON 8 GET T=ac /x 2:1/0/64");
  step.sends("ACK 8", `CON 1000 2.05 T=ac etag=${etag} 2:1/0/64 +64-100`);
  // The client asks for it once more: it is the same body, not another answer of the handler.
  step.receives("CON 9 GET T=ad /x 2:1/0/64");
  step.sends("ACK 9", `CON 1001 2.05 T=ad etag=${etag} 2:1/0/64 +64-100`);
  assert.equal(step.handled.length, 1);
  assert.deepEqual(told(step), []);
  step.receives("ACK 1001");
  assert.deepEqual(told(step), ["delivered 5000"]);
  step.receives("ACK 1000");
  step.until(100_000);
  assert.deepEqual(told(step), ["delivered 5000"], "once");
  assert.equal(step.endpoint.counts().bodies, 0);
});

test("a client that does not fetch the rest of a body has not got it", () => {
  const late = answering(100, { blockSize: 64 });
  late.receives("CON 7 GET T=ab /x");
  late.until(EXCHANGE_LIFETIME + 1000);
  assert.equal(told(late).length, 1);
  assert.match(told(late)[0] ?? "", /^cancelled /);

  const otherwise = answering(100, { blockSize: 64 });
  otherwise.receives("CON 7 GET T=ab /x");
  otherwise.receives("CON 8 GET T=ac /y");
  assert.deepEqual(told(otherwise), ["cancelled 0"], "one body per client: another takes its place");

  const crowded = answering(100, { blockSize: 64, maxBodies: 1 });
  crowded.receives("CON 7 GET T=ab /x");
  crowded.receives("CON 7 GET T=ab /x", "q");
  assert.deepEqual(told(crowded), ["cancelled 0"], "the least recently used leaves");

  const gone = answering(100, { blockSize: 64 });
  gone.receives("CON 7 GET T=ab /x");
  gone.endpoint.forget({ key: "p" }, 0);
  assert.deepEqual(told(gone), ["cancelled 0"]);
});

test("a client that begins behind the end of a body gets 4.00, and nothing is delivered", () => {
  const step = answering(100, { blockSize: 64 });
  step.receives("CON 7 GET T=ab /x 2:9/0/64");
  step.sends("ACK 7 4.00 T=ab");
  assert.deepEqual(told(step), ["cancelled 0"]);
});

test("a request may be given a time of its own: beyond it no repetition and no separate response is waited for", () => {
  const request = { method: "GET", path: ["x"], timeout: 4000 } as const;
  const silent = new Lockstep();
  silent.requests(request);
  silent.until(3999);
  assert.deepEqual(silent.results, []);
  silent.until(4000);
  assert.deepEqual(silent.results, [{ failure: "timeout" }]);
  assert.equal(silent.takeSent().length, 2, "at 0 and 2.5 s");

  const acknowledged = new Lockstep();
  acknowledged.requests(request);
  acknowledged.receives("ACK 1000");
  acknowledged.until(3999);
  assert.deepEqual(acknowledged.results, []);
  acknowledged.until(4000);
  assert.deepEqual(acknowledged.results, [{ failure: "timeout" }]);

  const queued = new Lockstep();
  queued.requests({ method: "GET", path: ["y"], timeout: 3000 });
  queued.requests(request);
  queued.until(6999);
  assert.equal(queued.results.length, 1, "its time begins with its first message");
  queued.until(7000);
  assert.equal(queued.results.length, 2);
  assert.equal(queued.endpoint.counts().timers, 0);
});
