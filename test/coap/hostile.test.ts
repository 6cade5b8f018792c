import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { CoapEndpoint, type CoapPeer, Code, EXCHANGE_LIFETIME, type IncomingRequest } from "../../src/coap/index.ts";
import { seededRandom } from "../../src/lib/random.ts";
import { bytesOf, Lockstep } from "./lockstep.ts";

const SEEDS = [
  "CON 1 POST T=0102030405060708 host=bs.example /bs ?ep=urn:dev:1 ?pct=112",
  "CON 2 PUT T=01 /0/1 cf=11542 1:3/1/64 +0-64",
  "NON 3 GET T=01 /x 2:1/0/16",
  "ACK 1000 2.05 T=0203040506070809 etag=01 cf=40 2:0/1/16 +0-16",
  "CON 4 2.31 T=0203040506070809 1:0/1/16",
  "RST 1000",
].map(bytesOf);

/** A busy endpoint: requests under way in both directions, bodies in transfer. */
function busy(): Lockstep {
  const step = new Lockstep({ maxBody: 1_000, maxBodies: 3, maxRemembered: 200, maxRememberedPerPeer: 20 });
  step.onRequest = (request, now) => {
    if (request.query.length === 0) request.respond({ code: Code.content, payload: Buffer.alloc(3_000) }, now);
  };
  step.requests({ method: "PUT", path: ["0"], payload: Buffer.alloc(3_000) });
  step.requests({ method: "GET", path: [] });
  step.receives("CON 900 PUT T=01 /0/1 cf=11542 1:0/1/64 +0-64");
  return step;
}

test("no datagram makes it throw: random bytes, truncated and altered messages", () => {
  const altered = fc
    .tuple(fc.constantFrom(...SEEDS), fc.array(fc.tuple(fc.nat(80), fc.nat(255)), { maxLength: 4 }), fc.nat(100))
    .map(([seed, changes, length]) => {
      const bytes = Buffer.from(seed);
      for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value;
      return bytes.subarray(0, length);
    });
  const random = fc.uint8Array({ maxLength: 80 });
  const likely = fc.uint8Array({ minLength: 4, maxLength: 40 }).map((bytes) => bytes.with(0, 0x40 | ((bytes[0] ?? 0) & 0x38)));
  const datagrams = fc.array(fc.oneof(altered, random, likely), { maxLength: 50 });
  fc.assert(
    fc.property(datagrams, (list) => {
      const step = busy();
      for (const datagram of list) {
        step.receivesBytes(datagram);
        step.until(step.now + 300);
      }
      step.until(step.now + 20 * EXCHANGE_LIFETIME);
      assert.deepEqual(step.endpoint.counts(), { peers: 0, remembered: 0, bodies: 0, timers: 0 });
      assert.equal(step.results.length, 2);
    }),
    { numRuns: 400 },
  );
});

test("a flood from made-up addresses stays within its bounds, and within the memory they mean", () => {
  const LIMIT = 20_000;
  const endpoint = new CoapEndpoint<CoapPeer>(
    { random: seededRandom(1), maxRemembered: LIMIT, maxBodies: 100 },
    { send() {}, request: (request, now) => request.respond({ code: Code.badRequest }, now) },
  );
  const request = bytesOf("CON 1 POST T=0102030405060708 /bs ?ep=urn:dev:1");
  const block = bytesOf("CON 2 PUT T=01 /x 1:0/1/1024 +0-1024");
  for (let index = 0; index < 3 * LIMIT; index++) {
    endpoint.receive({ key: `192.0.2.1:${index}` }, index % 2 === 0 ? request : block, index / 100);
  }
  assert.deepEqual(endpoint.counts(), { peers: LIMIT, remembered: LIMIT, bodies: 100, timers: 0 });
  endpoint.tick(2 * EXCHANGE_LIFETIME);
  assert.deepEqual(endpoint.counts(), { peers: 0, remembered: 0, bodies: 0, timers: 0 });
});

test("a flood of requests that are answered late, to peers that acknowledge nothing, stays within the same bounds", () => {
  const LIMIT = 1_000;
  const pending: IncomingRequest<CoapPeer>[] = [];
  const endpoint = new CoapEndpoint<CoapPeer>(
    { random: seededRandom(1), maxRemembered: LIMIT, ackDelay: 0 },
    { send() {}, request: (request) => pending.push(request) },
  );
  for (let index = 0; index < 5_000; index++) {
    const request = bytesOf(`CON ${index} POST T=01 /bs`);
    endpoint.receive({ key: index % 2 === 0 ? "one" : `192.0.2.1:${index}` }, request, index);
    endpoint.tick(index);
    if (index >= 20) pending[index - 20]?.respond({ code: Code.changed }, index);
    const { timers, peers } = endpoint.counts();
    assert.ok(timers <= LIMIT && peers <= LIMIT, `${timers} timers, ${peers} peers`);
  }
  assert.ok(endpoint.counts().timers > LIMIT / 4);
});

test("100,000 peers that were answered keep less than 1,000 bytes each, and nothing once they are forgotten", {
  skip: noGc(),
}, () => {
  const PEERS = 100_000;
  const peers = Array.from({ length: PEERS }, (_, index) => ({ key: `192.0.2.1:${index}` }));
  const endpoint = new CoapEndpoint<CoapPeer>(
    { random: seededRandom(1) },
    { send() {}, request: (request, now) => request.respond({ code: Code.changed }, now) },
  );
  const request = bytesOf("CON 1 POST T=0102030405060708 /bs ?ep=urn:dev:1");
  const before = used();
  for (const peer of peers) endpoint.receive(peer, request, 0);
  assert.equal(endpoint.counts().remembered, PEERS);
  const each = (used() - before) / PEERS;
  assert.ok(each < 1_000, `${each} bytes`);
  for (const peer of peers) endpoint.forget(peer, 0);
  assert.deepEqual(endpoint.counts(), { peers: 0, remembered: 0, bodies: 0, timers: 0 });
  const left = (used() - before) / PEERS;
  assert.ok(left < 100, `${left} bytes are left of each`);
});

test("what is rejected or refused is never answered with more bytes than came", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
      const step = new Lockstep();
      step.receivesBytes(bytes);
      for (const sent of step.takeSent()) assert.ok(sent.length <= bytes.length);
    }),
    { numRuns: 2_000 },
  );
});

function noGc(): string | false {
  return globalThis.gc === undefined ? "needs node --expose-gc" : false;
}

function used(): number {
  globalThis.gc?.();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}
