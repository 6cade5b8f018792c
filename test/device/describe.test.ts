import assert from "node:assert/strict";
import { test } from "node:test";
import { describeTree, ObjectTree } from "../../src/device/index.ts";
import { utf8 } from "../../src/lib/bytes.ts";
import { objectInstance, type ResourceValue, single } from "../../src/lwm2m/index.ts";
import { bootstrapAccount, PSK } from "./scripted-server.ts";

test("a described tree shows values by their paths, and of keys and certificates no more than their length", () => {
  const secret = (value: Uint8Array): ResourceValue => ({ type: "opaque", value });
  const tree = new ObjectTree([
    bootstrapAccount(0),
    objectInstance(21, 1, [single(0, secret(PSK))]),
    objectInstance(23, 0, [single(0, { type: "string", value: "kid" }), single(2, { type: "string", value: "the COSE key" })]),
    objectInstance(24, 0, [single(7, { type: "string", value: "user" }), single(8, secret(utf8("password")))]),
    objectInstance(27378, 0, [single(2, secret(utf8("name secret"))), single(3, { type: "unsigned", value: 2n ** 63n })]),
    objectInstance(10, 0, [
      single(1, { type: "objlnk", value: { objectId: 21, instanceId: 1 } }),
      single(0, { type: "boolean", value: true }),
      { kind: "multiple", id: 2, instances: new Map([[7, { type: "float", value: 1.5 }]]) },
    ]),
  ]);
  assert.deepEqual(describeTree(tree), {
    "/0/0/0": "coaps://bs2.example.com",
    "/0/0/1": true,
    "/0/0/2": 0,
    "/0/0/3": "dev-1",
    "/0/0/4": "(0 bytes)",
    "/0/0/5": "(16 bytes)",
    "/10/0/0": true,
    "/10/0/1": "21:1",
    "/10/0/2/7": 1.5,
    "/21/1/0": "(16 bytes)",
    "/23/0/0": "kid",
    "/23/0/2": "(12 characters)",
    "/24/0/7": "user",
    "/24/0/8": "(8 bytes)",
    "/27378/0/2": "(11 bytes)",
    "/27378/0/3": "9223372036854775808",
  });
});
