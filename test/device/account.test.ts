import assert from "node:assert/strict";
import { test } from "node:test";
import { isConfigured, type ObjectTree, performOperation, withoutBootstrapAccount } from "../../src/device/index.ts";
import { BerthError } from "../../src/lib/errors.ts";
import { type ObjectInstance, objectInstance, type Resource, resourceValue, single } from "../../src/lwm2m/index.ts";
import { after, answerTo, CONFIGURED, del, FACTORY, FINISH, NOTHING, pathsOf, put } from "./operation-fixture.ts";
import { bootstrapAccount, PSK, security, server } from "./scripted-server.ts";

const link = (id: number, objectId: number, instanceId: number): Resource =>
  single(id, { type: "objlnk", value: { objectId, instanceId } });
const COSE: Resource = {
  kind: "multiple",
  id: 27,
  instances: new Map([[0, { type: "objlnk", value: { objectId: 23, instanceId: 4 } }]]),
};
const oscore = (id: number): ObjectInstance =>
  objectInstance(
    21,
    id,
    [0, 1, 2].map((resource) => single(resource, { type: "opaque", value: PSK })),
  );
const cose = (id: number): ObjectInstance =>
  objectInstance(23, id, [
    single(0, { type: "string", value: "kid" }),
    single(1, { type: "integer", value: 10 }),
    single(2, { type: "string", value: "key" }),
  ]);
const mqtt = (id: number): ObjectInstance => objectInstance(24, id, [single(6, { type: "string", value: "client" })]);
const NEW_URI = "coaps://bs2.example.com";

/** A device whose bootstrap account links to an instance each of /21, /23 and /24, and which has others of them. */
const LINKED: ObjectTree = after(CONFIGURED, [
  put(bootstrapAccount(0, { more: [link(17, 21, 3), link(26, 24, 5), COSE] })),
  ...[oscore(3), cose(4), mqtt(5), oscore(8), cose(8), mqtt(8)].map(put),
]);
const ACCOUNT = ["/0/0", "/3/0", "/21/3", "/23/4", "/24/5"];

test("Delete of / and of an object keeps the bootstrap account with what it links to, and /3/0 (BS-04)", () => {
  assert.deepEqual(pathsOf(after(CONFIGURED, [del("/")])), ["/0/0", "/3/0"]);
  assert.deepEqual(pathsOf(after(LINKED, [del("/")])), ACCOUNT);
  for (const [object, gone] of [
    ["/0", "/0/1"],
    ["/1", "/1/0"],
    ["/3", ""],
    ["/21", "/21/8"],
    ["/23", "/23/8"],
    ["/24", "/24/8"],
  ] as const) {
    const left = pathsOf(LINKED).filter((path) => path !== gone);
    assert.deepEqual(pathsOf(after(LINKED, [del(object)])), left, object);
  }
});

test("nothing of the bootstrap account can be deleted by its own path", () => {
  for (const path of ACCOUNT) assert.match(answerTo(LINKED, del(path)), /^4\.00/, path);
  assert.deepEqual(
    pathsOf(after(LINKED, [del("/21/8")])),
    pathsOf(LINKED).filter((path) => path !== "/21/8"),
  );
});

test("a link keeps only what its resource is for: nobody shields a server account with it", () => {
  const tree = after(CONFIGURED, [put(bootstrapAccount(0, { more: [link(17, 1, 0), link(26, 0, 1)] })), del("/")]);
  assert.deepEqual(pathsOf(tree), ["/0/0", "/3/0"]);
});

/** What Finish makes of writes to a configured device: the tree, or the code and why. */
function finished(before: ObjectTree, ...requests: Parameters<typeof after>[1]): ObjectTree | string {
  const written = after(before, requests);
  const { tree, finished: accepted } = performOperation(written, FINISH, { before });
  return accepted ? tree : answerTo(written, FINISH, { before });
}

function uriOf(tree: ObjectTree | string, instance: number): string | undefined {
  assert.ok(typeof tree !== "string", String(tree));
  const account = tree.get(0, instance);
  return account && resourceValue(account, 0, "string");
}

test("the bootstrap account can be replaced where it is (BS-18)", () => {
  const tree = finished(CONFIGURED, put(bootstrapAccount(0)));
  assert.equal(uriOf(tree, 0), NEW_URI);
  assert.deepEqual(typeof tree !== "string" && pathsOf(tree), pathsOf(CONFIGURED));
});

test("a bootstrap account written beside the old one takes its place at Finish: the old one is purged (BS-18)", () => {
  const tree = finished(CONFIGURED, put(bootstrapAccount(9)));
  assert.equal(uriOf(tree, 9), NEW_URI);
  assert.equal(uriOf(tree, 0), undefined);
});

test("what the old account linked to goes with it, unless another account links to it too", () => {
  const tree = finished(LINKED, put(security(123, 1, [link(17, 21, 3)])), put(bootstrapAccount(9)));
  assert.ok(typeof tree !== "string", String(tree));
  assert.deepEqual(pathsOf(tree), ["/0/1", "/0/9", "/1/0", "/3/0", "/21/3", "/21/8", "/23/8", "/24/8"]);
});

test("with the new account there the server may delete the old one itself", () => {
  const tree = finished(CONFIGURED, put(bootstrapAccount(9)), del("/0/0"));
  assert.equal(uriOf(tree, 9), NEW_URI);
  assert.match(answerTo(after(CONFIGURED, [put(bootstrapAccount(9)), del("/0/0")]), del("/0/9")), /^4\.00/);
  const linked = after(LINKED, [put(bootstrapAccount(9)), del("/0/0")]);
  assert.deepEqual(pathsOf(linked), ["/0/1", "/0/9", "/1/0", "/3/0", "/21/8", "/23/8", "/24/8"]);
});

test("one bootstrap account at most: two new ones, or both written, are refused (BS-16)", () => {
  const two = finished(CONFIGURED, put(bootstrapAccount(8)), put(bootstrapAccount(9)));
  assert.match(String(two), /^4\.06 .*there are 2 bootstrap accounts/);
  const both = finished(CONFIGURED, put(bootstrapAccount(0)), put(bootstrapAccount(9)));
  assert.match(String(both), /^4\.06 .*there are 2 bootstrap accounts/);
});

test("a server that overwrites the account by accident is refused: the device could never bootstrap again", () => {
  const tree = finished(FACTORY, put(security(123, 0)), put(server(123)));
  assert.match(String(tree), /^4\.06 .*there are 0 bootstrap accounts/);
});

test("an account the device cannot use is refused at Finish, with the resource that is wrong", () => {
  const instance = bootstrapAccount(0);
  const other = (id: number, resource: Resource): ObjectInstance =>
    objectInstance(0, 0, [...[...instance.resources.values()].filter((had) => had.id !== id), resource]);
  for (const [account, why] of [
    [
      objectInstance(0, 0, [
        ...other(4, single(4, { type: "opaque", value: PSK })).resources.values(),
        single(2, { type: "integer", value: 4 }),
      ]),
      /security mode 4 is not supported/,
    ],
    [other(5, single(5, { type: "opaque", value: NOTHING })), /\/0\/0\/5/],
    [other(0, single(0, { type: "string", value: "http://bs" })), /\/0\/0 has a URI that is not CoAP/],
    [other(17, link(17, 21, 8)), /\/0\/0\/17: OSCORE is not supported for the bootstrap account/],
  ] as const) {
    const answer = String(finished(CONFIGURED, put(oscore(8)), put(account)));
    assert.match(answer, /^4\.06/);
    assert.match(answer, why);
  }
});

test("a tree the device itself says no to is refused at Finish with its reason", () => {
  const check = (tree: ObjectTree): void => {
    if (tree.get(0, 9) !== undefined) throw new BerthError("name-invalid", "the name is too long");
  };
  assert.ok(performOperation(CONFIGURED, FINISH, { check }).finished);
  const other = after(CONFIGURED, [put(bootstrapAccount(9))]);
  assert.equal(answerTo(other, FINISH, { before: CONFIGURED, check }), "4.06 the name is too long");
});

test("a device is configured while a server account is complete", () => {
  assert.deepEqual([FACTORY, CONFIGURED].map(isConfigured), [false, true]);
  assert.equal(isConfigured(after(CONFIGURED, [del("/0")])), false);
  assert.equal(isConfigured(after(FACTORY, [put(security(5)), put(server(6))])), false);
  assert.equal(isConfigured(withoutBootstrapAccount(CONFIGURED)), true);
});

test("without its bootstrap account a device keeps everything else (BS-19)", () => {
  assert.deepEqual(pathsOf(withoutBootstrapAccount(LINKED)), ["/0/1", "/1/0", "/3/0", "/21/8", "/23/8", "/24/8"]);
});
