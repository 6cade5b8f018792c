import assert from "node:assert/strict";
import { test } from "node:test";
import {
  BERTH_OBJECT,
  compileProfile,
  decodeContent,
  type ObjectInstance,
  type PackContext,
  parsePath,
} from "../../src/lwm2m/index.ts";
import { bootstrapSteps, DEVICE, discovered, KEY, profileOf, server, writtenBy } from "./support.ts";

const ACCOUNT = `
bootstrapServer:
  uri: coaps://bs.example.com:5684
  security: { mode: psk, identity: "{endpoint}", key: "{attributes.server_key}" }
  recipe: { version: 1 }`;
const FORMATS = [112, 110, 11544];

function packed(
  yaml: string,
  acc: readonly string[] | undefined,
  format = 112,
  more: PackContext = {},
): readonly ObjectInstance[] | "cannot" {
  const accounts = acc === undefined ? {} : { accounts: acc.map(parsePath) };
  const pack = compileProfile(profileOf(yaml)).pack(DEVICE, { ...accounts, ...more }, format);
  return pack === "cannot" ? pack : decodeContent(format, [], pack);
}

function paths(instances: readonly ObjectInstance[] | "cannot"): readonly string[] | "cannot" {
  return instances === "cannot" ? instances : instances.map(({ objectId, id }) => `/${objectId}/${id}`);
}

test("a Pack holds the whole configuration in each of its formats (LwM2M Core 1.2, Bootstrap-Pack-Request)", () => {
  const yaml = `delete: [/0, /1, /2]\n${server()}\nobjects: { /2: { 0: { 0: 5, 1: 0, 2: { 101: 15 }, 3: 101 } } }`;
  const expected = writtenBy(bootstrapSteps(profileOf(yaml), DEVICE, { found: discovered("</>;lwm2m=1.2,</0/0>") }));
  for (const format of FORMATS) assert.deepEqual(packed(yaml, ["/0/0"], format), expected, String(format));
  assert.throws(() => packed(yaml, undefined, 11542), { code: "unsupported-content-format" });
});

test("instances keep clear of the account the client names (acc), and start at 10 where it names none", () => {
  assert.deepEqual(paths(packed(server(), undefined)), ["/0/10", "/1/10"]);
  assert.deepEqual(paths(packed(server(), ["/0/0"])), ["/0/1", "/1/1"]);
  assert.deepEqual(paths(packed(server(), ["/0/2", "/21/0"])), ["/0/0", "/1/0"]);
  assert.deepEqual(paths(packed(server(), ["/21/0"])), ["/0/10", "/1/10"]);
});

test("a Pack that replaces the bootstrap account needs to be told where that is", () => {
  assert.deepEqual(paths(packed(server(ACCOUNT), ["/0/3"])), ["/0/0", "/1/0", `/${BERTH_OBJECT}/0`, "/0/3"]);
  for (const acc of [undefined, [], ["/21/0"]]) assert.equal(packed(server(ACCOUNT), acc), "cannot");
});

test("what replacing whole objects would not come to is left to Bootstrap-Request", () => {
  for (const yaml of [
    `delete: [/]\n${server()}`,
    `delete: [/0, /1, /2]\n${server()}`,
    `delete: [/0, /1, /2/0]\n${server()}`,
    // A Pack would remove the other servers of the client.
    `delete: []\n${server()}`,
    `delete: [/0]\n${server()}`,
    `${server()}\nobjects: { /2/0: { 0: 5, 1: 0, 3: 101 } }`,
    `${server()}\nobjects: { /1/10/2: 5 }`,
    "delete: []",
  ]) {
    for (const format of FORMATS) assert.equal(packed(yaml, ["/0/0"], format), "cannot", yaml);
  }
});

test("a Pack is refused like a plan: attributes and fresh keys", () => {
  const fresh = server("", `{ mode: fresh-psk, identity: "{endpoint}", securityStore: leshan }`);
  assert.throws(() => packed(fresh, undefined), { code: "profile-mismatch" });
  assert.ok(packed(fresh, undefined, 112, { freshKeys: new Map([[101, Buffer.from(KEY, "hex")]]) }) !== "cannot");
  assert.throws(() => compileProfile(profileOf(server())).pack({ endpoint: "x", attributes: {} }, {}, 112), {
    code: "profile-mismatch",
  });
});
