import assert from "node:assert/strict";
import { test } from "node:test";
import { Code } from "../../src/coap/index.ts";
import { BODY, etagOf, Lockstep, plainRandom, responseOf } from "./lockstep.ts";

/** A request's and a response's bytes as RFC 7252 appendix A prints them: header, token, Uri-Path "temperature", "22.3 C". */
const bytes = (header: string, rest = ""): Buffer =>
  Buffer.concat([Buffer.from(header.replaceAll(" ", ""), "hex"), Buffer.from(rest, "latin1")]);
const PATH = "\xbbtemperature";
const VALUE = "\xff22.3 C";

function server(firstMessageId = 0): Lockstep {
  const step = new Lockstep({ random: plainRandom(firstMessageId), ackDelay: 0 });
  step.onRequest = (request, now) => {
    assert.deepEqual(request.path, ["temperature"]);
    request.respond({ code: Code.content, payload: Buffer.from("22.3 C") }, now);
  };
  return step;
}

function sent(step: Lockstep): Buffer[] {
  return step.takeSent().map((datagram) => Buffer.from(datagram));
}

test("RFC 7252 figure 16: confirmable request, piggybacked response", () => {
  const step = server();
  step.receivesBytes(bytes("40 01 7d34", PATH));
  assert.deepEqual(sent(step), [bytes("60 45 7d34", VALUE)]);
});

test("RFC 7252 figure 17: the token is included", () => {
  const step = server();
  step.receivesBytes(bytes("41 01 7d35 20", PATH));
  assert.deepEqual(sent(step), [bytes("61 45 7d35 20", VALUE)]);
});

test("RFC 7252 figures 18 and 19: confirmable request or its response lost, and sent again", () => {
  const step = server();
  step.receivesBytes(bytes("41 01 7d37 42", PATH));
  step.receivesBytes(bytes("41 01 7d37 42", PATH));
  assert.deepEqual(sent(step), [bytes("61 45 7d37 42", VALUE), bytes("61 45 7d37 42", VALUE)]);
  assert.equal(step.handled.length, 1);
});

test("RFC 7252 figures 20 and 21: separate response, acknowledged or, where it is unexpected, reset", () => {
  for (const end of ["60 00 ad7b", "70 00 ad7b"]) {
    const step = server(0xad7b);
    step.onRequest = () => {};
    step.receivesBytes(bytes("41 01 7d38 53", PATH));
    step.until(0);
    assert.deepEqual(sent(step), [bytes("60 00 7d38")]);
    step.handled[0]?.respond({ code: Code.content, payload: Buffer.from("22.3 C") }, 0);
    assert.deepEqual(sent(step), [bytes("41 45 ad7b 53", VALUE)]);
    step.receivesBytes(bytes(end));
    step.until(100_000);
    assert.deepEqual(sent(step), []);
  }
});

test("RFC 7252 figure 21: a client that has forgotten its request rejects the response", () => {
  const step = new Lockstep();
  step.receivesBytes(bytes("41 45 ad7c 64", VALUE));
  assert.deepEqual(sent(step), [bytes("70 00 ad7c")]);
});

test("RFC 7252 figure 22: non-confirmable request and response", () => {
  const step = server(0xad7d);
  step.receivesBytes(bytes("51 01 7d40 75", PATH));
  assert.deepEqual(sent(step), [bytes("51 45 ad7d 75", VALUE)]);
});

test("RFC 7252 figure 17 as client: the request's bytes, and the response is understood", () => {
  const step = new Lockstep({ tokenLength: 4, random: plainRandom(0x7d35) });
  step.requests({ method: "GET", path: ["temperature"] });
  assert.deepEqual(sent(step), [bytes("44 01 7d35 02030405", PATH)]);
  step.receivesBytes(bytes("64 45 7d35 02030405", VALUE));
  assert.equal(Buffer.from(responseOf(step.results[0]).payload).toString(), "22.3 C");
});

// RFC 7959 section 3 leaves tokens and payloads open; an ETag is added where we serve

function serving(length: number): { step: Lockstep; etag: string } {
  const step = new Lockstep({ blockSize: 128 });
  step.onRequest = (request, now) => request.respond({ code: Code.content, payload: BODY.subarray(0, length) }, now);
  return { step, etag: `etag=${etagOf(BODY.subarray(0, length))}` };
}

test("RFC 7959 figure 2: simple block-wise GET", () => {
  const { step, etag } = serving(340);
  step.receives("CON 1234 GET /status");
  step.receives("CON 1235 GET /status 2:1/0/128");
  step.receives("CON 1236 GET /status 2:2/0/128");
  step.sends(
    `ACK 1234 2.05 ${etag} 2:0/1/128 +0-128`,
    `ACK 1235 2.05 ${etag} 2:1/1/128 +128-256`,
    `ACK 1236 2.05 ${etag} 2:2/0/128 +256-340`,
  );
});

test("RFC 7959 figure 3: block-wise GET with early negotiation", () => {
  const { step, etag } = serving(340);
  step.receives("CON 1234 GET /status 2:0/0/64");
  step.receives("CON 1235 GET /status 2:1/0/64");
  step.receives("CON 1239 GET /status 2:5/0/64");
  step.sends(
    `ACK 1234 2.05 ${etag} 2:0/1/64 +0-64`,
    `ACK 1235 2.05 ${etag} 2:1/1/64 +64-128`,
    `ACK 1239 2.05 ${etag} 2:5/0/64 +320-340`,
  );
});

test("RFC 7959 figures 4 to 6: late negotiation, with a lost CON and a lost ACK", () => {
  const { step, etag } = serving(340);
  step.receives("CON 1234 GET /status");
  step.receives("CON 1235 GET /status 2:2/0/64");
  step.receives("CON 1236 GET /status 2:3/0/64");
  step.receives("CON 1236 GET /status 2:3/0/64");
  step.receives("CON 1238 GET /status 2:5/0/64");
  step.sends(
    `ACK 1234 2.05 ${etag} 2:0/1/128 +0-128`,
    `ACK 1235 2.05 ${etag} 2:2/1/64 +128-192`,
    `ACK 1236 2.05 ${etag} 2:3/1/64 +192-256`,
    `ACK 1236 2.05 ${etag} 2:3/1/64 +192-256`,
    `ACK 1238 2.05 ${etag} 2:5/0/64 +320-340`,
  );
});

test("RFC 7959 figure 7: simple atomic block-wise PUT", () => {
  const step = new Lockstep();
  step.onRequest = (request, now) => request.respond({ code: Code.changed }, now);
  step.receives("CON 1234 PUT /options 1:0/1/128 +0-128");
  step.receives("CON 1235 PUT /options 1:1/1/128 +128-256");
  step.receives("CON 1236 PUT /options 1:2/0/128 +256-300");
  step.sends("ACK 1234 2.31 1:0/1/128", "ACK 1235 2.31 1:1/1/128", "ACK 1236 2.04 1:2/0/128");
});

test("RFC 7959 figure 8: a stateless server answers every block with 2.04; the client goes on to the last", () => {
  const step = new Lockstep({ blockSize: 128, random: plainRandom(1_234), tokenLength: 4 });
  step.requests({ method: "PUT", path: ["options"], payload: BODY.subarray(0, 300) });
  step.receives("ACK 1234 2.04 T=02030405 1:0/0/128");
  step.receives("ACK 1235 2.04 T=06070809 1:1/0/128");
  step.receives("ACK 1236 2.04 T=0a0b0c0d 1:2/0/128");
  step.sends(
    "CON 1234 PUT T=02030405 /options 1:0/1/128 +0-128",
    "CON 1235 PUT T=06070809 /options 1:1/1/128 +128-256",
    "CON 1236 PUT T=0a0b0c0d /options 1:2/0/128 +256-300",
  );
  assert.equal(step.results.length, 1);
});

test("RFC 7959 figure 9: atomic block-wise PUT with negotiation, as server and as client", () => {
  const ladder = [
    ["PUT", "/options 1:0/1/128 +0-128", "2.31", "1:0/1/32"],
    ["PUT", "/options 1:4/1/32 +128-160", "2.31", "1:4/1/32"],
    ["PUT", "/options 1:5/1/32 +160-192", "2.31", "1:5/1/32"],
    ["PUT", "/options 1:6/0/32 +192-222", "2.04", "1:6/0/32"],
  ] as const;
  const tokens = ["T=02030405", "T=06070809", "T=0a0b0c0d", "T=0e0f1011"];
  const far = new Lockstep({ blockSize: 32 });
  far.onRequest = (request, now) => request.respond({ code: Code.changed }, now);
  const near = new Lockstep({ blockSize: 128, random: plainRandom(1_234), tokenLength: 4 });
  near.requests({ method: "PUT", path: ["options"], payload: BODY.subarray(0, 222) });
  ladder.forEach(([method, request, code, block], index) => {
    const line = `CON ${1_234 + index} ${method} ${tokens[index]} ${request}`;
    const answer = `ACK ${1_234 + index} ${code} ${tokens[index]} ${block}`;
    near.sends(line);
    far.receives(line);
    far.sends(answer);
    near.receives(answer);
  });
  assert.equal(responseOf(near.results[0]).code, "2.04");
});

test("RFC 7959 figures 11 and 12: block-wise POST with a block-wise response, late negotiation of its size", () => {
  for (const negotiated of [128, 64]) {
    const { step, etag } = serving(300);
    const wanted = negotiated === 64 ? "2:0/0/64 " : "";
    step.receives("CON 1234 POST /soap 1:0/1/128 +0-128");
    step.receives("CON 1235 POST /soap 1:1/1/128 +128-256");
    step.receives(`CON 1236 POST /soap ${wanted}1:2/0/128 +256-300`);
    step.receives(`CON 1237 POST /soap 2:1/0/${negotiated}`);
    step.sends(
      "ACK 1234 2.31 1:0/1/128",
      "ACK 1235 2.31 1:1/1/128",
      `ACK 1236 2.05 ${etag} 2:0/1/${negotiated} 1:2/0/128 +0-${negotiated}`,
      `ACK 1237 2.05 ${etag} 2:1/1/${negotiated} +${negotiated}-${2 * negotiated}`,
    );
    assert.equal(step.handled.length, 1);
  }
});
