import assert from "node:assert/strict";
import { test } from "node:test";
import { CoapEndpoint, Code, EXCHANGE_LIFETIME } from "../../src/coap/index.ts";
import { seededRandom } from "../../src/lib/random.ts";
import { Lockstep, plainRandom } from "./lockstep.ts";

const GET = { method: "GET", path: ["x"] } as const;

test("an unanswered request is repeated after T, 3T, 7T, 15T and given up after 31T", () => {
  //  CLIENT  SERVER
  //    |------X  0                         CON 1000 GET /x
  //    |------X  2500, 7500, 17500, 37500  the same
  //    |         77500                     timeout
  const step = new Lockstep({ random: plainRandom(1_000, 0.5) });
  step.requests(GET);
  const CON = "CON 1000 GET T=0203040506070809 /x";
  step.sends(CON);
  for (const at of [2_500, 7_500, 17_500, 37_500]) {
    assert.equal(step.endpoint.nextDeadline(), at);
    step.until(at - 1);
    step.sends();
    step.until(at);
    step.sends(CON);
  }
  step.until(77_499);
  assert.deepEqual(step.results, []);
  step.until(77_500);
  assert.deepEqual(step.results, [{ failure: "timeout" }]);
  step.sends();
  assert.equal(step.endpoint.counts().timers, 0);
});

test("the first time-out is drawn from ACK_TIMEOUT to ACK_TIMEOUT times ACK_RANDOM_FACTOR", () => {
  const random = seededRandom(7);
  const timeouts = Array.from({ length: 200 }, () => {
    const step = new Lockstep({ random: { ...random, bytes: (length) => new Uint8Array(length) } });
    step.requests(GET);
    return step.endpoint.nextDeadline();
  });
  const again = seededRandom(7);
  assert.deepEqual(
    timeouts,
    timeouts.map(() => Math.round(2_000 + 1_000 * again.uniform())),
  );
});

test("the transmission parameters can be set", () => {
  const step = new Lockstep({ ackTimeout: 100, ackRandomFactor: 1, maxRetransmit: 2 });
  step.requests(GET);
  step.until(699);
  assert.equal(step.takeSent().length, 3);
  assert.deepEqual(step.results, []);
  step.until(700);
  assert.deepEqual(step.results, [{ failure: "timeout" }]);
});

test("the timers of many peers do not disturb each other, however they are stopped in between", () => {
  const random = seededRandom(3);
  const jitter = seededRandom(4);
  const step = new Lockstep({ random: { bytes: (length) => random.bytes(length), uniform: () => jitter.uniform() } });
  const again = seededRandom(4);
  const expected: string[] = [];
  const stops: { readonly at: number; readonly stop: () => void }[] = [];
  for (let index = 0; index < 500; index++) {
    const stop = step.requests(GET, `peer ${index}`);
    const timeout = Math.round(2_000 + 1_000 * again.uniform());
    const at = Math.floor(random.uniform() * 100_000);
    stops.push({ at, stop: () => stop(at) });
    for (const times of [0, 1, 3, 7, 15])
      if (times === 0 || timeout * times <= at) expected.push(`${timeout * times} peer ${index}`);
  }
  const sent = step.takeAddressed().map((peer) => `0 ${peer}`);
  for (const { at, stop } of stops.sort((a, b) => a.at - b.at)) {
    for (let due = step.endpoint.nextDeadline() ?? at; due < at; due = step.endpoint.nextDeadline() ?? at) {
      step.until(due);
      sent.push(...step.takeAddressed().map((peer) => `${due} ${peer}`));
    }
    step.until(at);
    sent.push(...step.takeAddressed().map((peer) => `${at} ${peer}`));
    stop();
  }
  assert.deepEqual(sent.sort(), expected.sort());
  assert.equal(step.endpoint.counts().timers, 0);
});

test("a parameter out of its range is refused with its name and value", () => {
  const make = (options: object) => () => new CoapEndpoint({ random: seededRandom(1), ...options }, { send() {}, request() {} });
  assert.throws(make({ tokenLength: 3 }), /tokenLength: 3 is not possible, it must be 4 to 8 bytes/);
  assert.throws(make({ blockSize: 100 }), /blockSize: 100/);
  assert.throws(make({ blockSize: 2_048 }), /blockSize: 2048/);
  assert.throws(make({ ackTimeout: 0 }), /ackTimeout: 0/);
  assert.throws(make({ ackRandomFactor: 0.5 }), /ackRandomFactor: 0.5/);
  assert.throws(make({ maxRetransmit: 1.5 }), /maxRetransmit: 1.5/);
});

test("a duplicate of a confirmable request gets the stored answer and is not handled again", () => {
  //  CLIENT  SERVER
  //    |------>|  CON 7 POST /x
  //    | X-----|  ACK 7 2.04      lost
  //    |------>|  CON 7 POST /x   again
  //    |<------|  ACK 7 2.04      from memory
  const step = new Lockstep();
  step.onRequest = (request, now) => request.respond({ code: Code.changed, payload: Buffer.from("done") }, now);
  const POST = "CON 7 POST T=ab /x";
  const ACK = "ACK 7 2.04 T=ab 'done'";
  step.receives(POST);
  step.sends(ACK);
  step.until(EXCHANGE_LIFETIME - 1);
  step.receives(POST);
  step.sends(ACK);
  assert.equal(step.handled.length, 1);
  step.receives(POST, "another peer");
  step.sends(ACK);
  assert.equal(step.handled.length, 2);
});

test("EXCHANGE_LIFETIME is 247 s; after it the message id is free again", () => {
  assert.equal(EXCHANGE_LIFETIME, 247_000);
  const step = new Lockstep();
  step.onRequest = (request, now) => request.respond({ code: Code.changed }, now);
  step.receives("CON 7 POST T=ab /x");
  step.until(EXCHANGE_LIFETIME);
  assert.deepEqual(step.endpoint.counts(), { peers: 0, remembered: 0, bodies: 0, timers: 0 });
  assert.equal(step.endpoint.nextDeadline(), undefined);
  step.receives("CON 7 POST T=cd /x");
  step.sends("ACK 7 2.04 T=ab", "ACK 7 2.04 T=cd");
  assert.equal(step.handled.length, 2);
});

test("a non-confirmable request gets a non-confirmable response, its duplicate nothing", () => {
  //    |------>|  NON 7 GET /x
  //    |<------|  NON 1000 2.05
  //    |------>|  NON 7 GET /x    duplicate
  const step = new Lockstep();
  step.onRequest = (request, now) => request.respond({ code: Code.content, payload: Buffer.from("hi") }, now);
  step.receives("NON 7 GET T=ab /x");
  step.sends("NON 1000 2.05 T=ab 'hi'");
  assert.equal(step.handled[0]?.confirmable, false);
  step.receives("NON 7 GET T=ab /x");
  step.sends();
  assert.equal(step.handled.length, 1);
});

test("ping: an empty confirmable message is answered with a Reset, an empty non-confirmable one is ignored", () => {
  const step = new Lockstep();
  step.receives("CON 7");
  step.sends("RST 7");
  step.receives("NON 8");
  step.sends();
  assert.equal(step.endpoint.counts().peers, 0);
});

test("what fits nothing is rejected when confirmable and else ignored", () => {
  const step = new Lockstep();
  step.requests(GET);
  step.takeSent();
  // no request has these tokens
  step.receives("CON 7 2.05 T=ffff 'late'");
  step.sends("RST 7");
  step.receives("CON 7 2.05 T=ffff 'late'", "a stranger");
  step.sends("RST 7");
  step.receives("NON 8 2.05 T=ffff");
  step.receives("ACK 9 2.05 T=ffff");
  step.receives("ACK 9");
  step.receives("RST 9");
  // the right token, but in the acknowledgement of another message
  step.receives("ACK 9 2.05 T=0203040506070809");
  // an acknowledgement or Reset with the code of a request
  step.receives("ACK 1000 GET T=0203040506070809");
  step.receives("RST 1000 2.05 T=0203040506070809");
  // reserved classes 1, 6, 7
  step.receives("CON 10 1.01");
  step.receives("CON 11 6.00");
  step.receives("CON 12 7.05 T=0203040506070809");
  step.receives("NON 13 7.05");
  step.sends("RST 10", "RST 11", "RST 12");
  assert.deepEqual(step.results, []);
  assert.equal(step.handled.length, 0);
});

test("a malformed confirmable message is rejected, any other malformed message ignored", () => {
  const malformed = {
    "token longer than 8": "09 01 0007 000102030405060708",
    "token cut off": "04 01 0007 0102",
    "option header cut off": "00 01 0007 d1",
    "option length cut off": "00 01 0007 be",
    "option value cut off": "00 01 0007 b261",
    "long option value cut off": "00 01 0007 bd05 6161",
    "option delta 15": "00 01 0007 f0",
    "option length 15": "00 01 0007 bf",
    "payload marker without payload": "00 01 0007 b161 ff",
    "empty message with a token": "01 00 0007 aa",
    "empty message with a payload": "00 00 0007 ff 61",
  };
  for (const [what, hex] of Object.entries(malformed)) {
    const step = new Lockstep();
    const bytes = Buffer.from(hex.replaceAll(" ", ""), "hex");
    for (const [version, type, rejected] of [
      [1, 0, true],
      [1, 1, false],
      [1, 2, false],
      [1, 3, false],
      [0, 0, false],
      [2, 0, false],
    ] as const) {
      const first = ((bytes[0] ?? 0) & 15) | (version << 6) | (type << 4);
      step.receivesBytes(Buffer.concat([Buffer.from([first]), bytes.subarray(1)]));
      if (rejected) step.sends("RST 7");
      else step.sends();
    }
    assert.equal(step.handled.length, 0, what);
    assert.equal(step.endpoint.counts().peers, 0, what);
  }
});

test("the datagram's memory may be reused at once", () => {
  const step = new Lockstep();
  const datagram = Buffer.from("4402000701020304b178ff68656c6c6f", "hex");
  step.receivesBytes(datagram);
  datagram.fill(0);
  assert.equal(Buffer.from(step.handled[0]?.payload ?? []).toString(), "hello");
  step.handled[0]?.respond({ code: Code.changed }, step.now);
  step.sends("ACK 7 2.04 T=01020304");
});

test("bounds: the oldest message of a peer and of all leaves, and a peer of which nothing is left", () => {
  const step = new Lockstep({ maxRemembered: 5, maxRememberedPerPeer: 3 });
  step.onRequest = (request, now) => request.respond({ code: Code.changed }, now);
  for (let id = 1; id <= 4; id++) step.receives(`CON ${id} POST /x`, "a");
  assert.deepEqual(step.endpoint.counts(), { peers: 1, remembered: 3, bodies: 0, timers: 0 });
  step.receives("CON 2 POST /x", "a");
  assert.equal(step.handled.length, 4, "2 is remembered");
  step.receives("CON 1 POST /x", "a");
  assert.equal(step.handled.length, 5, "1 was forgotten");
  for (const peer of ["b", "c", "d", "e", "f", "g"]) step.receives("CON 1 POST /x", peer);
  assert.deepEqual(step.endpoint.counts(), { peers: 5, remembered: 5, bodies: 0, timers: 0 });
});

test("a request whose message was pushed out of the memory cannot be answered any more", () => {
  const step = new Lockstep({ maxRememberedPerPeer: 1 });
  step.receives("CON 1 POST T=01 /x");
  step.receives("CON 2 POST T=02 /x");
  assert.equal(step.handled[0]?.respond({ code: Code.changed }, step.now), false);
  assert.equal(step.handled[1]?.respond({ code: Code.changed }, step.now), true);
  step.sends("ACK 2 2.04 T=02");
});
