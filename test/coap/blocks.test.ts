import assert from "node:assert/strict";
import { test } from "node:test";
import { Code, EXCHANGE_LIFETIME } from "../../src/coap/index.ts";
import { BODY, etagOf, Lockstep, responseOf } from "./lockstep.ts";

const T = ["T=0203040506070809", "T=0a0b0c0d0e0f1011", "T=1213141516171819", "T=1a1b1c1d1e1f2021"];

function answering(step: Lockstep, length: number): void {
  step.onRequest = (request, now) =>
    request.respond({ code: Code.content, contentFormat: 40, payload: BODY.subarray(0, length) }, now);
}

test("server, Block1: the handler gets the whole body once; lost and duplicated blocks change nothing", () => {
  //  CLIENT  SERVER
  //    |------>|  CON 1 PUT 1:0/1/16
  //    | X-----|  ACK 1 2.31 1:0/1/16    lost
  //    |------>|  CON 1 PUT 1:0/1/16
  //    |<------|  ACK 1 2.31 1:0/1/16
  //    |------>|  CON 2 PUT 1:1/1/16
  //    |------>|  CON 3 PUT 1:2/0/16
  //    |------>|  CON 2 PUT 1:1/1/16     a late duplicate
  const step = new Lockstep();
  step.onRequest = (request, now) => request.respond({ code: Code.changed }, now);
  step.receives("CON 1 PUT T=a1 /x cf=42 1:0/1/16 +0-16");
  step.receives("CON 1 PUT T=a1 /x cf=42 1:0/1/16 +0-16");
  step.receives("CON 2 PUT T=a2 /x cf=42 1:1/1/16 +16-32");
  assert.equal(step.handled.length, 0);
  assert.equal(step.endpoint.counts().bodies, 1);
  step.receives("CON 3 PUT T=a3 /x cf=42 1:2/0/16 +32-40");
  step.receives("CON 2 PUT T=a2 /x cf=42 1:1/1/16 +16-32");
  step.sends(
    "ACK 1 2.31 T=a1 1:0/1/16",
    "ACK 1 2.31 T=a1 1:0/1/16",
    "ACK 2 2.31 T=a2 1:1/1/16",
    "ACK 3 2.04 T=a3 1:2/0/16",
    "ACK 2 2.31 T=a2 1:1/1/16",
  );
  assert.equal(step.handled.length, 1);
  assert.deepEqual(step.handled[0]?.payload, BODY.subarray(0, 40));
  assert.equal(step.handled[0]?.contentFormat, 42);
  assert.equal(step.endpoint.counts().bodies, 0);
});

test("server, Block1: a server that wants smaller blocks says so in its first answer", () => {
  const step = new Lockstep({ blockSize: 32 });
  step.onRequest = (request, now) => request.respond({ code: Code.changed }, now);
  step.receives("CON 1 PUT T=a1 /x 1:0/1/128 +0-128");
  step.receives("CON 2 PUT T=a2 /x 1:4/1/32 +128-160");
  step.receives("CON 3 PUT T=a3 /x 1:5/0/32 +160-180");
  step.sends("ACK 1 2.31 T=a1 1:0/1/32", "ACK 2 2.31 T=a2 1:4/1/32", "ACK 3 2.04 T=a3 1:5/0/32");
  assert.deepEqual(step.handled[0]?.payload, BODY.subarray(0, 180));
});

test("server, Block1: wrong orders are 4.08, wrong sizes 4.00, too much is 4.13 with the size that would do", () => {
  const begin = "CON 1 PUT T=a1 /x 1:0/1/16 +0-16";
  const cases: readonly (readonly [string, string])[] = [
    ["CON 2 PUT T=a2 /x 1:2/1/16 +32-48", "ACK 2 4.08 T=a2"], // a block is missing
    ["CON 2 PUT T=a2 /x 1:2/0/16 +32-48", "ACK 2 4.08 T=a2"],
    ["CON 2 PUT T=a2 /x cf=1 1:1/1/16 +16-32", "ACK 2 4.08 T=a2"], // another format
    ["CON 2 PUT T=a2 /y 1:1/1/16 +16-32", "ACK 2 4.08 T=a2"], // another resource
    ["CON 2 POST T=a2 /x 1:1/1/16 +16-32", "ACK 2 4.08 T=a2"], // another method
    ["CON 2 PUT T=a2 /x 1:1/1/16 +16-31", "ACK 2 4.00 T=a2"], // too short for a block that is not the last
    ["CON 2 PUT T=a2 /x 1:1/0/16 +16-33", "ACK 2 4.00 T=a2"], // too long
    ["CON 2 PUT T=a2 /z 1:0/1/16 size1=101 +0-16", "ACK 2 4.13 T=a2 size1=100"],
    ["CON 2 PUT T=a2 /z 1:0/1/128 +0-128", "ACK 2 4.13 T=a2 size1=100"],
    ["CON 2 PUT T=a2 /z +0-101", "ACK 2 4.13 T=a2 size1=100"],
  ];
  for (const [message, answer] of cases) {
    const step = new Lockstep({ maxBody: 100 });
    step.receives(begin);
    step.takeSent();
    step.receives(message);
    step.sends(answer);
    assert.equal(step.handled.length, 0);
  }
});

test("server, Block1: a body over the limit is refused at the block that exceeds it, and dropped", () => {
  const step = new Lockstep({ maxBody: 40 });
  step.receives("CON 1 PUT T=a1 /x 1:0/1/16 +0-16");
  step.receives("CON 2 PUT T=a2 /x 1:1/1/16 +16-32");
  step.receives("CON 3 PUT T=a3 /x 1:2/1/16 +32-48");
  step.sends("ACK 1 2.31 T=a1 1:0/1/16", "ACK 2 2.31 T=a2 1:1/1/16", "ACK 3 4.13 T=a3 size1=40");
  assert.equal(step.endpoint.counts().bodies, 0);
});

test("server, Block1: block 0 starts over", () => {
  const step = new Lockstep();
  step.receives("CON 1 PUT T=a1 /x 1:0/1/16 +0-16");
  step.receives("CON 2 PUT T=a2 /x 1:1/1/16 +16-32");
  step.receives("CON 3 PUT T=a3 /x 1:0/1/32 +64-96");
  step.receives("CON 4 PUT T=a4 /x 1:1/0/32 +96-100");
  assert.deepEqual(step.handled[0]?.payload, BODY.subarray(64, 100));
});

test("server: bodies are bounded in number, one per peer, and leave after EXCHANGE_LIFETIME", () => {
  const step = new Lockstep({ maxBodies: 2 });
  for (const peer of ["a", "b", "c"]) step.receives("CON 1 PUT /x 1:0/1/16 +0-16", peer);
  step.takeSent();
  assert.equal(step.endpoint.counts().bodies, 2);
  step.receives("CON 2 PUT /x 1:1/1/16 +16-32", "a");
  step.receives("CON 2 PUT /x 1:1/1/16 +16-32", "b");
  step.receives("CON 3 PUT /other 1:0/1/16 +0-16", "b");
  step.sends("ACK 2 4.08", "ACK 2 2.31 1:1/1/16", "ACK 3 2.31 1:0/1/16");
  assert.equal(step.endpoint.counts().bodies, 2);
  step.until(EXCHANGE_LIFETIME);
  assert.deepEqual(step.endpoint.counts(), { peers: 0, remembered: 0, bodies: 0, timers: 0 });
});

test("server, Block2: the response is kept and served block by block; the handler is called once", () => {
  //    |------>|  CON 1 GET
  //    |<------|  ACK 1 2.05 2:0/1/16
  //    |------>|  CON 2 GET 2:1/0/16
  //    |<------|  ACK 2 2.05 2:1/1/16
  //    |------>|  CON 2 GET 2:1/0/16      duplicate
  //    |<------|  ACK 2 2.05 2:1/1/16
  //    |------>|  CON 3 GET 2:2/0/16
  //    |<------|  ACK 3 2.05 2:2/0/16
  const step = new Lockstep({ blockSize: 16 });
  answering(step, 40);
  const etag = `etag=${etagOf(BODY.subarray(0, 40))}`;
  step.receives("CON 1 GET T=a1 /x accept=40");
  step.receives("CON 2 GET T=a2 /x accept=40 2:1/0/16");
  step.receives("CON 2 GET T=a2 /x accept=40 2:1/0/16");
  assert.equal(step.endpoint.counts().bodies, 1);
  step.receives("CON 3 GET T=a3 /x accept=40 2:2/0/16");
  step.sends(
    `ACK 1 2.05 T=a1 ${etag} cf=40 2:0/1/16 +0-16`,
    `ACK 2 2.05 T=a2 ${etag} cf=40 2:1/1/16 +16-32`,
    `ACK 2 2.05 T=a2 ${etag} cf=40 2:1/1/16 +16-32`,
    `ACK 3 2.05 T=a3 ${etag} cf=40 2:2/0/16 +32-40`,
  );
  assert.equal(step.handled.length, 1);
  assert.equal(step.endpoint.counts().bodies, 0);
});

test("server, Block2: without a kept body a GET is handled anew, a POST is 4.08; beyond the end is 4.00", () => {
  const step = new Lockstep({ blockSize: 64 });
  answering(step, 100);
  const etag = `etag=${etagOf(BODY.subarray(0, 100))}`;
  step.receives("CON 1 GET T=a1 /x 2:3/0/16");
  step.receives("CON 2 POST T=a2 /y 2:1/0/16");
  step.receives("CON 3 GET T=a3 /x 2:7/0/16");
  step.receives("CON 4 GET T=a4 /x 2:1/0/1024");
  step.receives("CON 5 GET T=a5 /z 2:0/0/1024");
  step.sends(
    `ACK 1 2.05 T=a1 ${etag} cf=40 2:3/1/16 +48-64`,
    "ACK 2 4.08 T=a2",
    "ACK 3 4.00 T=a3",
    "ACK 4 4.00 T=a4",
    `ACK 5 2.05 T=a5 ${etag} cf=40 2:0/1/64 +0-64`,
  );
});

test("server, Block2: a short response to a request with Block2 is one block; one without a payload has no Block2", () => {
  const step = new Lockstep();
  answering(step, 10);
  step.receives("CON 1 GET T=a1 /x 2:0/0/64");
  step.sends(`ACK 1 2.05 T=a1 etag=${etagOf(BODY.subarray(0, 10))} cf=40 2:0/0/64 +0-10`);
  step.onRequest = (request, now) => request.respond({ code: Code.notFound }, now);
  step.receives("CON 2 GET T=a1 /x 2:3/0/64");
  step.sends("ACK 2 4.04 T=a1");
});

test("client, Block1: blocks go out one after the other, and the server's smaller size is taken over", () => {
  const step = new Lockstep({ blockSize: 128 });
  step.requests({ method: "PUT", path: ["x"], contentFormat: 42, payload: BODY.subarray(0, 180) });
  step.sends(`CON 1000 PUT ${T[0]} /x cf=42 1:0/1/128 +0-128`);
  step.until(2_500);
  step.sends(`CON 1000 PUT ${T[0]} /x cf=42 1:0/1/128 +0-128`);
  step.receives(`ACK 1000 2.31 ${T[0]} 1:0/1/32`);
  step.receives(`ACK 1000 2.31 ${T[0]} 1:0/1/32`);
  step.sends(`CON 1001 PUT ${T[1]} /x cf=42 1:4/1/32 +128-160`);
  step.receives(`ACK 1001 2.31 ${T[1]} 1:4/1/32`);
  step.sends(`CON 1002 PUT ${T[2]} /x cf=42 1:5/0/32 +160-180`);
  step.receives(`ACK 1002 2.04 ${T[2]} 1:5/0/32`);
  assert.equal(responseOf(step.results[0]).code, "2.04");
  step.until(100_000);
  step.sends();
});

test("client, Block1: an error ends the transfer; 4.13 with a smaller size starts it over", () => {
  const step = new Lockstep({ blockSize: 64 });
  step.requests({ method: "PUT", path: ["x"], payload: BODY.subarray(0, 100) });
  step.receives(`ACK 1000 4.13 ${T[0]} 1:0/1/32`);
  step.receives(`ACK 1001 2.31 ${T[1]} 1:0/1/32`);
  step.receives(`ACK 1002 4.13 ${T[2]} 1:1/1/32 'no'`);
  step.sends(
    `CON 1000 PUT ${T[0]} /x 1:0/1/64 +0-64`,
    `CON 1001 PUT ${T[1]} /x 1:0/1/32 +0-32`,
    `CON 1002 PUT ${T[2]} /x 1:1/1/32 +32-64`,
  );
  assert.equal(responseOf(step.results[0]).code, "4.13");
});

test("client, Block1: 4.13 with a block size makes a body that went out whole go out in blocks", () => {
  const step = new Lockstep();
  step.requests({ method: "PUT", path: ["x"], payload: BODY.subarray(0, 100) });
  step.receives(`ACK 1000 4.13 ${T[0]} 1:0/1/64`);
  step.sends(`CON 1000 PUT ${T[0]} /x +0-100`, `CON 1001 PUT ${T[1]} /x 1:0/1/64 +0-64`);
});

test("client, Block1: what confirms another block, or none, is incomplete; a final answer in between is the result", () => {
  for (const [answer, result] of [
    [`2.31 ${T[0]} 1:1/1/64`, "incomplete"],
    [`2.31 ${T[0]}`, "incomplete"],
    [`2.04 ${T[0]}`, "2.04"],
  ]) {
    const step = new Lockstep({ blockSize: 64 });
    step.requests({ method: "PUT", path: ["x"], payload: BODY.subarray(0, 100) });
    step.receives(`ACK 1000 ${answer}`);
    const [got] = step.results;
    assert.equal(got !== undefined && "failure" in got ? got.failure : responseOf(got).code, result);
  }
  const step = new Lockstep();
  step.requests({ method: "PUT", path: ["x"] });
  step.receives(`ACK 1000 2.31 ${T[0]}`);
  assert.deepEqual(step.results, [{ failure: "incomplete" }]);
});

test("client, Block2: the further blocks are fetched, smaller ones if we cannot do more, and put together", () => {
  const step = new Lockstep({ blockSize: 32 });
  step.requests({ method: "GET", path: ["x"], query: ["q"], accept: 40 });
  step.receives(`ACK 1000 2.05 ${T[0]} etag=01 cf=40 2:0/1/64 +0-64`);
  step.receives("ACK 1001");
  step.receives(`CON 7 2.05 ${T[1]} etag=01 cf=40 2:2/1/32 +64-96`);
  step.receives(`CON 7 2.05 ${T[1]} etag=01 cf=40 2:2/1/32 +64-96`);
  step.receives(`ACK 1002 2.05 ${T[2]} etag=01 cf=40 2:3/0/32 +96-100`);
  step.sends(
    `CON 1000 GET ${T[0]} /x ?q accept=40`,
    `CON 1001 GET ${T[1]} /x ?q accept=40 2:2/0/32`,
    "ACK 7",
    `CON 1002 GET ${T[2]} /x ?q accept=40 2:3/0/32`,
    "ACK 7",
  );
  assert.deepEqual(responseOf(step.results[0]).payload, BODY.subarray(0, 100));
  assert.equal(responseOf(step.results[0]).contentFormat, 40);
});

test("client, Block2: blocks that do not fit together are incomplete, an error in between is the result", () => {
  for (const [answer, result] of [
    [`2.05 ${T[1]} etag=01 2:2/0/16 +32-40`, "incomplete"], // not the one asked for
    [`2.05 ${T[1]} etag=02 2:1/0/16 +16-30`, "incomplete"], // the resource has changed
    [`2.05 ${T[1]} 2:1/0/16 +16-30`, "incomplete"],
    [`2.05 ${T[1]} etag=01 2:1/1/16 +16-30`, "incomplete"], // too short
    [`2.05 ${T[1]} etag=01 +0-100`, "incomplete"],
    [`2.05 ${T[1]} etag=01 2:1/1/16 +16-32`, undefined],
    [`2.05 ${T[1]} etag=01 2:1/0/64 +64-99`, "incomplete"],
    [`4.04 ${T[1]}`, "4.04"],
  ] as const) {
    const step = new Lockstep();
    step.requests({ method: "GET", path: ["x"] });
    step.receives(`ACK 1000 2.05 ${T[0]} etag=01 2:0/1/16 +0-16`);
    step.receives(`ACK 1001 ${answer}`);
    const [got] = step.results;
    const seen = got === undefined ? undefined : "failure" in got ? got.failure : got.response.code;
    assert.equal(seen, result, answer);
  }
});

test("client: a response larger than maxBody fails as too-large, in blocks or whole", () => {
  const step = new Lockstep({ maxBody: 20 });
  step.requests({ method: "GET", path: ["x"] });
  step.receives(`ACK 1000 2.05 ${T[0]} 2:0/1/16 +0-16`);
  step.receives(`ACK 1001 2.05 ${T[1]} 2:1/0/16 +16-30`);
  step.requests({ method: "GET", path: ["x"] });
  step.receives(`ACK 1002 2.05 ${T[2]} +0-21`);
  assert.deepEqual(step.results, [{ failure: "too-large" }, { failure: "too-large" }]);
});

test("client: a body out in blocks and a response in in blocks, of one POST", () => {
  const step = new Lockstep({ blockSize: 16 });
  step.requests({ method: "POST", path: ["x"], contentFormat: 0, payload: BODY.subarray(0, 20) });
  step.receives(`ACK 1000 2.31 ${T[0]} 1:0/1/16`);
  step.receives(`ACK 1001 2.05 ${T[1]} 1:1/0/16 2:0/1/16 +0-16`);
  step.receives(`ACK 1002 2.05 ${T[2]} 2:1/0/16 +16-18`);
  step.sends(
    `CON 1000 POST ${T[0]} /x cf=0 1:0/1/16 +0-16`,
    `CON 1001 POST ${T[1]} /x cf=0 1:1/0/16 +16-20`,
    `CON 1002 POST ${T[2]} /x 2:1/0/16`,
  );
  assert.deepEqual(responseOf(step.results[0]).payload, BODY.subarray(0, 18));
});

test("both ends together: every pair of block sizes, bodies of every awkward length, up and down", () => {
  const sizes = [16, 32, 64, 128, 256, 512, 1_024];
  for (const ours of sizes) {
    for (const theirs of sizes) {
      for (const length of [0, 1, 15, 16, 17, ours, ours + 1, theirs, theirs + 1, 1_024, 1_025, 2_048]) {
        const client = new Lockstep({ blockSize: ours });
        const server = new Lockstep({ blockSize: theirs });
        server.onRequest = (request, now) => request.respond({ code: Code.content, payload: request.payload }, now);
        client.requests({ method: "POST", path: ["echo"], payload: BODY.subarray(0, length) });
        for (let sent = client.takeSent(); sent.length > 0; sent = client.takeSent()) {
          for (const datagram of sent) server.receivesBytes(datagram);
          for (const datagram of server.takeSent()) client.receivesBytes(datagram);
        }
        assert.deepEqual(
          Buffer.from(responseOf(client.results[0]).payload),
          BODY.subarray(0, length),
          `${ours} ${theirs} ${length}`,
        );
        assert.equal(server.handled.length, 1);
        assert.equal(server.endpoint.counts().bodies, 0);
      }
    }
  }
});
