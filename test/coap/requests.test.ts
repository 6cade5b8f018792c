import assert from "node:assert/strict";
import { test } from "node:test";
import { CoapEndpoint, type CoapPeer, Code, EXCHANGE_LIFETIME } from "../../src/coap/index.ts";
import { InvalidInput } from "../../src/lib/errors.ts";
import { seededRandom } from "../../src/lib/random.ts";
import { Lockstep } from "./lockstep.ts";

const FIRST = "T=0203040506070809";
const SECOND = "T=0a0b0c0d0e0f1011";
const THIRD = "T=1213141516171819";
const get = (path: string) => ({ method: "GET", path: [path] }) as const;

test("NSTART = 1: the next request of a peer is sent when the one before has its response; other peers do not wait", () => {
  //    |------>|  CON 1000 GET /1
  //    |<------|  ACK 1000
  //    |<------|  NON 7 2.05
  //    |------>|  CON 1001 GET /2
  //    |<------|  RST 1001
  //    |------>|  CON 1002 GET /3
  const step = new Lockstep();
  for (const path of ["1", "2", "3"]) step.requests(get(path));
  step.sends(`CON 1000 GET ${FIRST} /1`);
  step.receives("ACK 1000");
  step.sends();
  step.receives(`NON 7 2.05 ${FIRST}`);
  step.sends(`CON 1001 GET ${SECOND} /2`);
  step.receives("RST 1001");
  step.sends(`CON 1002 GET ${THIRD} /3`);
  step.requests(get("4"), "another peer");
  assert.equal(step.takeSent().length, 1);
  assert.equal(step.results.length, 2);
});

test("a request made when the result of another is heard waits behind those that wait already", () => {
  const step = new Lockstep();
  step.endpoint.request({ key: "p" }, get("1"), 0, () => step.requests(get("3")));
  step.requests(get("2"));
  step.receives(`ACK 1000 2.05 ${FIRST}`);
  step.receives(`ACK 1001 2.05 ${SECOND}`);
  step.sends(`CON 1000 GET ${FIRST} /1`, `CON 1001 GET ${SECOND} /2`, `CON 1002 GET ${THIRD} /3`);
});

test("cancelling a request under way stops its retransmission and lets the next go; its late response is rejected", () => {
  const step = new Lockstep();
  const cancel = step.requests(get("1"));
  step.requests(get("2"));
  cancel(10);
  cancel(10);
  assert.deepEqual(step.results, [{ failure: "cancelled" }]);
  step.sends(`CON 1000 GET ${FIRST} /1`, `CON 1001 GET ${SECOND} /2`);
  step.receives(`CON 7 2.05 ${FIRST}`);
  step.sends("RST 7");
  step.receives(`ACK 1001 2.05 ${SECOND}`);
  step.until(100_000);
  step.sends();
  assert.equal(step.results.length, 2);
});

test("cancelling a request that waits takes it out of the queue; after the result it does nothing", () => {
  const step = new Lockstep();
  const first = step.requests(get("1"));
  const cancel = step.requests(get("2"));
  step.requests(get("3"));
  cancel(0);
  step.receives(`ACK 1000 2.05 ${FIRST}`);
  step.sends(`CON 1000 GET ${FIRST} /1`, `CON 1001 GET ${SECOND} /3`);
  first(0);
  assert.equal(step.results.length, 2);
});

test("forgetting a peer cancels all its requests, stops everything and leaves nothing", () => {
  const step = new Lockstep({ ackDelay: 0 });
  step.receives("CON 7 GET T=ab /x");
  step.receives("CON 8 GET T=cd /x");
  step.receives("CON 9 PUT T=ef /x 1:0/1/16 +0-16");
  step.until(1);
  step.handled[0]?.respond({ code: Code.content }, 1);
  step.requests(get("1"));
  step.requests(get("2"));
  assert.deepEqual(step.endpoint.counts(), { peers: 1, remembered: 3, bodies: 1, timers: 2 });
  step.takeSent();
  step.endpoint.forget({ key: "p" }, 1);
  step.endpoint.forget({ key: "unknown" }, 1);
  assert.deepEqual(step.results, [{ failure: "cancelled" }, { failure: "cancelled" }]);
  assert.deepEqual(step.endpoint.counts(), { peers: 0, remembered: 0, bodies: 0, timers: 0 });
  assert.equal(step.endpoint.nextDeadline(), undefined);
  step.handled[1]?.respond({ code: Code.content }, 1);
  step.sends();
  // the same address may come anew, with a message id of old
  step.receives("CON 7 GET T=ab /x");
  assert.equal(step.handled.length, 3);
});

test("a peer may be forgotten from within any effect", () => {
  const results: unknown[] = [];
  const peer = { key: "p" };
  for (const moment of ["send", "request", "result"]) {
    const endpoint: CoapEndpoint<CoapPeer> = new CoapEndpoint<CoapPeer>(
      { random: seededRandom(1) },
      {
        send: () => (moment === "send" ? endpoint.forget(peer, 0) : undefined),
        request: () => (moment === "request" ? endpoint.forget(peer, 0) : undefined),
      },
    );
    endpoint.receive(peer, Buffer.from("40010007b178", "hex"), 0);
    endpoint.request(peer, get("1"), 0, (result) => {
      results.push(result);
      endpoint.forget(peer, 0);
    });
    endpoint.request(peer, get("2"), 0, (result) => results.push(result));
    endpoint.forget(peer, 0);
    assert.deepEqual(endpoint.counts(), { peers: 0, remembered: 0, bodies: 0, timers: 0 }, moment);
  }
  assert.deepEqual(results, Array(6).fill({ failure: "cancelled" }));
});

test("an exception of whoever hears a result does not stop the queue", () => {
  const step = new Lockstep();
  step.endpoint.request({ key: "p" }, get("1"), 0, () => {
    throw new Error("a bug elsewhere");
  });
  step.requests(get("2"));
  assert.throws(() => step.receives(`ACK 1000 2.05 ${FIRST}`), /a bug elsewhere/);
  step.sends(`CON 1000 GET ${FIRST} /1`, `CON 1001 GET ${SECOND} /2`);
});

test("an option too long for CoAP is refused at once, and nothing is queued", () => {
  const step = new Lockstep();
  const long = "x".repeat(256);
  assert.throws(() => step.requests(get(long)), InvalidInput);
  assert.throws(() => step.requests({ method: "GET", path: [], query: [`ep=${long}`] }), /Uri-Query: 259 bytes, at most 255/);
  step.requests(get("x".repeat(255)));
  assert.equal(step.takeSent().length, 1);
});

test("message ids go on as long as the far end may remember the ones before", () => {
  const step = new Lockstep();
  step.requests(get("1"));
  step.receives(`ACK 1000 2.05 ${FIRST}`);
  step.until(EXCHANGE_LIFETIME - 1);
  step.requests(get("2"));
  step.sends(`CON 1000 GET ${FIRST} /1`, `CON 1001 GET ${SECOND} /2`);
  step.receives(`ACK 1001 2.05 ${SECOND}`);
  step.until(2 * EXCHANGE_LIFETIME - 1_000);
  assert.equal(step.endpoint.counts().peers, 1);
  step.until(2 * EXCHANGE_LIFETIME);
  assert.equal(step.endpoint.counts().peers, 0);
});

test("a bootstrap on one association: both ends are client and server, and message ids of the two directions do not mix", () => {
  //  DEVICE  SERVER
  //    |------>|  CON 1000 POST /bs?ep=d
  //    |<------|  ACK 1000 2.04
  //    |<------|  CON 1000 DELETE /         the server's own id 1000
  //    |------>|  CON 1001 GET /time        the device asks something meanwhile
  //    |<------|  ACK 1001 2.05
  //    |------>|  ACK 1000 2.02
  //    |<------|  CON 1001 POST /bs
  //    |------>|  ACK 1001 2.04
  const server = new Lockstep();
  server.onRequest = (request, now) => {
    request.respond({ code: request.method === "GET" ? Code.content : Code.changed }, now);
    if (request.path[0] === "bs") server.requests({ method: "DELETE", path: [] });
  };
  server.receives("CON 1000 POST T=a1 /bs ?ep=d");
  server.sends("ACK 1000 2.04 T=a1", `CON 1000 DELETE ${FIRST}`);
  server.receives("CON 1000 POST T=a1 /bs ?ep=d");
  server.sends("ACK 1000 2.04 T=a1");
  server.receives("CON 1001 GET T=a2 /time");
  server.sends("ACK 1001 2.05 T=a2");
  assert.deepEqual(server.results, []);
  server.receives(`ACK 1000 2.02 ${FIRST}`);
  assert.equal(server.results.length, 1);
  server.requests({ method: "POST", path: ["bs"] });
  server.sends(`CON 1001 POST ${SECOND} /bs`);
  server.receives("CON 1001 GET T=a2 /time");
  server.sends("ACK 1001 2.05 T=a2");
  server.receives(`ACK 1001 2.04 ${SECOND}`);
  assert.equal(server.results.length, 2);
  assert.equal(server.handled.length, 2);
});
