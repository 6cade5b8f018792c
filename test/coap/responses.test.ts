import assert from "node:assert/strict";
import { test } from "node:test";
import { Code, EXCHANGE_LIFETIME } from "../../src/coap/index.ts";
import { Lockstep, plainRandom, responseOf } from "./lockstep.ts";

const GET = { method: "GET", path: ["x"] } as const;
const FIRST = "T=0203040506070809";
const CON = `CON 1000 GET ${FIRST} /x`;

function textOf(step: Lockstep): string {
  return Buffer.from(responseOf(step.results[0]).payload).toString();
}

test("server, piggybacked: the response rides on the acknowledgement", () => {
  const step = new Lockstep();
  step.receives("CON 7 GET T=ab host=bs.example /a/b ?x=1 ?y accept=112");
  const [request] = step.handled;
  assert.ok(request !== undefined);
  const { method, path, query, accept, uriHost, contentFormat, confirmable } = request;
  assert.deepEqual(
    { method, path, query, accept, uriHost, contentFormat, confirmable },
    {
      ...{ method: "GET", path: ["a", "b"], query: ["x=1", "y"], accept: 112, uriHost: "bs.example" },
      ...{ contentFormat: undefined, confirmable: true },
    },
  );
  step.sends();
  step.now = 499;
  assert.equal(request.respond({ code: Code.content, contentFormat: 40, maxAge: 0, payload: Buffer.from("hi") }, step.now), true);
  step.sends("ACK 7 2.05 T=ab cf=40 max-age=0 'hi'");
  assert.equal(request.respond({ code: Code.changed }, step.now), false, "a second answer is refused");
  step.until(100_000);
  step.sends();
});

test("server, separate: acknowledged after ackDelay, the response follows as a confirmable message", () => {
  //  CLIENT  SERVER
  //    |------>|  CON 7 GET /x
  //    |<------|  ACK 7            after ackDelay
  //    |------>|  CON 7 GET /x     the ACK was late: duplicate
  //    |<------|  ACK 7
  //    | X-----|  CON 1000 2.05    lost
  //    |<------|  CON 1000 2.05    again
  //    |------>|  ACK 1000
  const step = new Lockstep({ ackDelay: 300 });
  step.receives("CON 7 GET T=ab /x");
  step.until(299);
  step.receives("CON 7 GET T=ab /x");
  step.sends();
  step.until(300);
  step.sends("ACK 7");
  step.receives("CON 7 GET T=ab /x");
  step.sends("ACK 7");
  step.until(1_000);
  assert.equal(step.handled[0]?.respond({ code: Code.content, payload: Buffer.from("hi") }, step.now), true);
  step.sends("CON 1000 2.05 T=ab 'hi'");
  step.until(3_500);
  step.sends("CON 1000 2.05 T=ab 'hi'");
  step.receives("ACK 1000");
  step.until(100_000);
  step.sends();
  assert.equal(step.endpoint.counts().timers, 0);
  assert.equal(step.handled.length, 1);
});

test("server, separate: a Reset ends the sending, and so does MAX_RETRANSMIT", () => {
  const step = new Lockstep({ ackDelay: 0 });
  step.receives("CON 7 GET T=ab /x");
  step.receives("CON 8 GET T=cd /x");
  step.until(1);
  step.sends("ACK 7", "ACK 8");
  for (const request of step.handled) request.respond({ code: Code.content }, step.now);
  step.sends("CON 1000 2.05 T=ab", "CON 1001 2.05 T=cd");
  step.receives("RST 1000");
  step.until(100_000);
  assert.equal(step.takeSent().length, 4, "the other one was repeated");
  assert.equal(step.endpoint.counts().timers, 0);
});

test("server: no answer is possible after EXCHANGE_LIFETIME, nor after the peer was forgotten", () => {
  const step = new Lockstep();
  step.receives("CON 7 GET T=ab /x");
  step.receives("CON 7 GET T=ab /x", "q");
  step.endpoint.forget({ key: "q" }, step.now);
  assert.equal(step.handled[1]?.respond({ code: Code.content }, step.now), false);
  step.until(EXCHANGE_LIFETIME);
  step.sends("ACK 7");
  assert.equal(step.handled[0]?.respond({ code: Code.content }, step.now), false);
  step.sends();
});

test("client, piggybacked: the response ends the retransmission; a duplicate of it is ignored", () => {
  const step = new Lockstep();
  step.requests({
    ...{ method: "POST", path: ["bs"], query: ["ep=urn:dev:1", "pct=112"], contentFormat: 11_542 },
    ...{ accept: 40, uriHost: "bs.example", payload: Buffer.from("text") },
  });
  step.sends(`CON 1000 POST ${FIRST} host=bs.example /bs cf=11542 ?ep=urn:dev:1 ?pct=112 accept=40 'text'`);
  step.receives(`ACK 1000 2.05 ${FIRST} cf=0 max-age=300 'hi'`);
  step.receives(`ACK 1000 2.05 ${FIRST} cf=0 max-age=300 'hi'`);
  const [result] = step.results;
  assert.deepEqual(result, { response: { code: "2.05", contentFormat: 0, maxAge: 300, payload: Buffer.from("hi") } });
  step.until(100_000);
  step.sends();
  assert.equal(step.results.length, 1);
});

test("client, separate: after the empty acknowledgement the response comes as CON, whose duplicate is acknowledged again", () => {
  //    |------>|  CON 1000 GET /x
  //    |<------|  ACK 1000
  //    |<------|  CON 7 2.05
  //    |--X    |  ACK 7
  //    |<------|  CON 7 2.05
  //    |------>|  ACK 7
  const step = new Lockstep();
  step.requests(GET);
  step.receives("ACK 1000");
  step.sends(CON);
  step.until(100_000);
  step.sends();
  step.receives(`CON 7 2.05 ${FIRST} 'hi'`);
  step.sends("ACK 7");
  step.receives(`CON 7 2.05 ${FIRST} 'hi'`);
  step.sends("ACK 7");
  assert.equal(textOf(step), "hi");
  assert.equal(step.results.length, 1);
});

test("client: the response may come before the acknowledgement, which is then ignored", () => {
  //    |------>|  CON 1000 GET /x
  //    |<------|  CON 7 2.05     overtakes
  //    |------>|  ACK 7
  //    |<------|  ACK 1000       late
  const step = new Lockstep();
  step.requests(GET);
  step.receives(`CON 7 2.05 ${FIRST} 'hi'`);
  step.sends(CON, "ACK 7");
  step.receives("ACK 1000");
  step.until(EXCHANGE_LIFETIME - 1);
  step.sends();
  assert.equal(textOf(step), "hi");
  assert.equal(step.endpoint.counts().timers, 0);
});

test("client: the response may be non-confirmable, and then the acknowledgement may be missing", () => {
  const step = new Lockstep();
  step.requests(GET);
  step.receives(`NON 7 2.05 ${FIRST} 'hi'`);
  step.sends(CON);
  assert.equal(textOf(step), "hi");
  step.until(100_000);
  step.sends();
});

test("client: acknowledged but never answered fails after responseTimeout, which a second acknowledgement does not prolong", () => {
  const step = new Lockstep({ responseTimeout: 10_000 });
  step.requests(GET);
  step.receives("ACK 1000");
  step.until(5_000);
  step.receives("ACK 1000");
  step.until(9_999);
  assert.deepEqual(step.results, []);
  step.until(10_000);
  assert.deepEqual(step.results, [{ failure: "timeout" }]);
});

test("client: a peer that is waited for is not dropped after EXCHANGE_LIFETIME", () => {
  const step = new Lockstep();
  step.requests(GET);
  step.until(50_000);
  step.receives("ACK 1000");
  step.until(50_000 + EXCHANGE_LIFETIME - 1);
  step.receives(`NON 7 2.05 ${FIRST} 'hi'`);
  assert.equal(textOf(step), "hi");
});

test("client: a late acknowledgement or response of a request that timed out changes nothing", () => {
  const step = new Lockstep();
  step.requests(GET);
  step.until(77_500);
  step.takeSent();
  step.receives(`ACK 1000 2.05 ${FIRST} 'hi'`);
  step.receives(`CON 7 2.05 ${FIRST} 'hi'`);
  step.sends("RST 7");
  assert.deepEqual(step.results, [{ failure: "timeout" }]);
});

test("client: a Reset fails the request", () => {
  const step = new Lockstep();
  step.requests(GET);
  step.sends(CON);
  step.receives("RST 1000");
  assert.deepEqual(step.results, [{ failure: "reset" }]);
  step.until(100_000);
  step.sends();
});

test("client: a response with a critical option nobody knows is rejected", () => {
  const step = new Lockstep();
  step.requests(GET);
  step.takeSent();
  const option = "e1fdda61"; // 14-bit delta: option 65001, odd
  step.receivesBytes(Buffer.from(`48450007${FIRST.slice(2)}${option}`, "hex"));
  step.sends("RST 7");
  step.receivesBytes(Buffer.from(`684503e8${FIRST.slice(2)}${option}`, "hex"));
  assert.deepEqual(step.results, []);
  step.receives(`ACK 1000 2.05 ${FIRST}`);
  assert.equal(step.results.length, 1);
});

test("server: unknown critical options are 4.02, unknown elective ones ignored, unknown methods 4.05, proxying 5.05", () => {
  const step = new Lockstep();
  step.onRequest = (request, now) => request.respond({ code: Code.content }, now);
  const cases: readonly (readonly [string, string])[] = [
    ["b178", "2.05"],
    ["e1fdda61", "4.02"], // 65001, odd
    ["e1fddb61", "2.05"], // 65002, even
    ["1161", "4.02"], // If-Match
    ["50", "4.02"], // If-None-Match
    ["9161", "4.02"], // OSCORE
    ["31610161", "4.02"], // Uri-Host twice
    ["30", "4.02"], // Uri-Host of no length
    ["60", "2.05"], // Observe
    ["73000000", "4.02"], // Uri-Port of 3 bytes
    ["72162e", "2.05"], // Uri-Port
    ["c3000000", "2.05"], // Content-Format of 3 bytes: elective, ignored
    ["d304000000", "4.02"], // Accept of 3 bytes
    ["d10a07", "4.00"], // Block2 with SZX 7
    ["d10e07", "4.00"], // Block1 with SZX 7
    ["d40e00000000", "4.02"], // Block1 of 4 bytes
    ["d11661", "5.05"], // Proxy-Uri
    ["d11a61", "5.05"], // Proxy-Scheme
  ];
  cases.forEach(([options, code], index) => {
    const id = index.toString(16).padStart(4, "0");
    const before = step.handled.length;
    step.receivesBytes(Buffer.from(`4001${id}${options}`, "hex"));
    const sent = Buffer.from(step.takeSent()[0] ?? []).toString("hex");
    const byte = (Number(code[0]) << 5) | Number(code.slice(2));
    assert.equal(sent.slice(0, 8), `60${byte.toString(16)}${id}`, `options ${options}`);
    assert.equal(step.handled.length - before, code === "2.05" ? 1 : 0, `options ${options}`);
  });
  step.receivesBytes(Buffer.from("4108ffffab", "hex"));
  step.sends("ACK 65535 4.05 T=ab");
});

test("tokens have the length asked for and are random; message ids count up from a random start and wrap", () => {
  const step = new Lockstep({ tokenLength: 4, random: plainRandom(65_535) });
  step.requests(GET);
  step.receives("ACK 65535 2.05 T=02030405");
  step.requests(GET);
  step.sends("CON 65535 GET T=02030405 /x", "CON 0 GET T=06070809 /x");
});
