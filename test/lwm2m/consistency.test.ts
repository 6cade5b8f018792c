import assert from "node:assert/strict";
import { test } from "node:test";
import { findInconsistencies, type ObjectInstance } from "../../src/lwm2m/index.ts";
import { toInstance, type VectorResources } from "./support.ts";

const PSK: VectorResources = {
  0: ["string", "coaps://a:5684"],
  1: ["boolean", false],
  2: ["integer", 0],
  3: ["opaque", "61"],
  4: ["opaque", ""],
  5: ["opaque", "00"],
  10: ["integer", 101],
};
const ACCOUNT: VectorResources = { 0: ["string", "coap://bs:5683"], 1: ["boolean", true], 2: ["integer", 3] };
const SERVER: VectorResources = { 0: ["integer", 101], 1: ["integer", 60], 6: ["boolean", true], 7: ["string", "U"] };

const COSE: VectorResources = { 0: ["string", "a"], 1: ["integer", 10], 2: ["string", "b"] };
const BERTH: VectorResources = { 0: ["string", "{}"] };

const GOOD: Readonly<Record<string, VectorResources>> = {
  "/0/0": ACCOUNT,
  "/0/10": PSK,
  "/1/10": SERVER,
  "/2/0": { 0: ["integer", 5], 1: ["integer", 0], 3: ["integer", 101] },
  "/3/0": {},
};

function check(change: Readonly<Record<string, VectorResources | undefined>>): string[] {
  const all: ObjectInstance[] = [];
  for (const [path, resources] of Object.entries({ ...GOOD, ...change })) {
    if (resources !== undefined) all.push(toInstance(path, resources));
  }
  return findInconsistencies(all);
}

const without = (resources: VectorResources, id: number): VectorResources =>
  Object.fromEntries(Object.entries(resources).filter(([key]) => key !== String(id)));

test("a client with its bootstrap account and a server account is consistent", () => {
  assert.deepEqual(check({}), []);
});

test("each thing that is missing or does not fit is found, alone", () => {
  for (const [change, expected] of [
    [{ "/0/0": undefined }, ["there are 0 bootstrap accounts, not one"]],
    [{ "/0/1": ACCOUNT }, ["there are 2 bootstrap accounts, not one"]],
    [{ "/1/10": undefined }, ["there is no LwM2M server account"]],
    [
      { "/0/10": undefined },
      ["/1/10 has the short server id 101, which no instance of /0 has", "there is no LwM2M server account"],
    ],
    [
      { "/0/0": { ...ACCOUNT, 10: ["integer", 102] }, "/1/11": { ...SERVER, 0: ["integer", 102] } },
      ["/1/11 has the short server id 102, which no instance of /0 has"],
    ],
    [{ "/1/10": without(SERVER, 0) }, ["/1/10/0 Short Server ID is missing", "there is no LwM2M server account"]],
    [{ "/1/10": without(SERVER, 7) }, ["/1/10/7 Binding is missing"]],
    [{ "/1/11": SERVER }, ["/1/11 has the short server id 101 of another instance"]],
    [{ "/0/11": PSK }, ["/0/11 has the short server id 101 of another instance"]],
    [{ "/0/11": without(PSK, 10) }, ["/0/11 has no short server id"]],
    [{ "/0/10": without(PSK, 0) }, ["/0/10/0 LWM2M Server URI is missing"]],
    [{ "/0/10": without(PSK, 2) }, ["/0/10/2 Security Mode is missing"]],
    [{ "/0/10": { ...PSK, 5: ["opaque", ""] } }, ["/0/10/5 Secret Key is empty, which its security mode needs"]],
    [{ "/0/10": without(PSK, 3) }, ["/0/10/3 Public Key or Identity is empty, which its security mode needs"]],
    [{ "/0/10": { ...PSK, 2: ["integer", 2] } }, ["/0/10/4 Server Public Key is empty, which its security mode needs"]],
    [{ "/0/10": { ...PSK, 2: ["integer", 3] } }, ["/0/10 has a coaps URI and mode NoSec"]],
    [{ "/0/10": { ...PSK, 0: ["string", "coap://a"] } }, ["/0/10 has a coap URI and a mode with keys"]],
    [{ "/0/10": { ...PSK, 0: ["string", "http://a"] } }, ["/0/10 has a URI that is not CoAP"]],
    [
      { "/0/10": { ...PSK, 0: ["string", "coap://a"], 2: ["integer", 4], 4: ["opaque", "00"] } },
      ["/0/10 has a coap URI and a mode with keys"],
    ],
    [{ "/0/10": { ...PSK, 2: ["integer", 4] } }, ["/0/10/4 Server Public Key is empty, which its security mode needs"]],
    [
      { "/0/10": { ...PSK, 10: ["integer", 65535] }, "/1/10": { ...SERVER, 0: ["integer", 65535] } },
      ["/0/10 has the short server id 65535, which is none", "there is no LwM2M server account"],
    ],
    [{ "/0/11": { ...PSK, 10: ["integer", 0] } }, ["/0/11 has the short server id 0, which is none"]],
    [{ "/0/10": { ...PSK, 17: ["objlnk", "21:0"] } }, ["/0/10/17 OSCORE Security Mode links /21/0, which is not there"]],
    [{ "/0/10": { ...PSK, 17: ["objlnk", "1:10"] } }, ["/0/10/17 OSCORE Security Mode links /1/10, which is no instance of /21"]],
    [
      { "/0/10": { ...PSK, 27: { 0: ["objlnk", "23:0"], 1: ["objlnk", "23:1"] } }, "/23/0": COSE },
      ["/0/10/27 LwM2M COSE Security links /23/1, which is not there"],
    ],
    [{ "/0/10": { ...PSK, 26: ["objlnk", "24:7"] } }, ["/0/10/26 MQTT Server links /24/7, which is not there"]],
    [{ "/21/0": { 0: ["opaque", "00"], 1: ["opaque", ""] } }, ["/21/0/2 OSCORE Recipient ID is missing"]],
    [{ "/27378/0": { 1: ["objlnk", "0:0"] } }, ["/27378/0/0 Recipe is missing"]],
    [{ "/27378/0": { ...BERTH, 1: ["objlnk", "0:7"] } }, ["/27378/0/1 Security Instance links /0/7, which is not there"]],
    [{ "/27378/1": BERTH }, ["/27378/1: Berth has one instance, with the id 0"]],
    [{ "/2/0": { 0: ["integer", 5] } }, ["/2/0/1 Object Instance ID is missing", "/2/0/3 Access Control Owner is missing"]],
  ] as const) {
    assert.deepEqual(check(change), expected);
  }
});

test("links that lead somewhere, or nowhere on purpose, are consistent", () => {
  assert.deepEqual(
    check({
      "/0/10": { ...PSK, 17: ["objlnk", "21:3"], 26: ["objlnk", "65535:65535"], 27: { 5: ["objlnk", "23:0"] } },
      "/21/3": { 0: ["opaque", "00"], 1: ["opaque", "01"], 2: ["opaque", "02"] },
      "/23/0": COSE,
      "/27378/0": { ...BERTH, 1: ["objlnk", "0:0"] },
    }),
    [],
  );
});

test("an account may use OSCORE instead of DTLS: a coap URI, NoSec and a link to /21", () => {
  const oscore = { "/21/0": { 0: ["opaque", "00"], 1: ["opaque", "01"], 2: ["opaque", "02"] } } as const;
  const account: VectorResources = { ...PSK, 0: ["string", "coap://a"], 2: ["integer", 3], 17: ["objlnk", "21:0"] };
  assert.deepEqual(check({ "/0/10": account, ...oscore }), []);
});

test("nothing at all is not consistent", () => {
  assert.deepEqual(findInconsistencies([]), ["there are 0 bootstrap accounts, not one", "there is no LwM2M server account"]);
});
