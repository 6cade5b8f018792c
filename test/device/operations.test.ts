import assert from "node:assert/strict";
import { test } from "node:test";
import { factoryTree, type ObjectTree, type OperationRequest, performOperation } from "../../src/device/index.ts";
import { utf8 } from "../../src/lib/bytes.ts";
import {
  ContentFormat,
  decodeContent,
  encodeContent,
  formatPath,
  objectInstance,
  resourceValue,
  single,
} from "../../src/lwm2m/index.ts";
import { PSK, writeSecurity, writeServer } from "./scripted-server.ts";

const FACTORY = factoryTree({ uri: "coaps://bs.example.com", identity: "dev-1", psk: PSK });
const NOTHING = new Uint8Array();

type Given = Partial<OperationRequest> & Pick<OperationRequest, "method">;

function request(given: Given): OperationRequest {
  return { path: [], contentFormat: undefined, accept: undefined, payload: NOTHING, ...given };
}

/** A request of the scripts as the device receives it. */
function received(sent: ReturnType<typeof writeServer>): OperationRequest {
  return request({ method: sent.method, path: sent.path, contentFormat: sent.contentFormat, payload: sent.payload ?? NOTHING });
}

function after(tree: ObjectTree, ...requests: readonly OperationRequest[]): ObjectTree {
  return requests.reduce((before, next) => {
    const { response, tree: now } = performOperation(before, next);
    assert.match(
      response.code,
      /^2/,
      `${next.method} /${next.path.join("/")}: ${Buffer.from(response.payload ?? NOTHING).toString()}`,
    );
    return now;
  }, tree);
}

function pathsOf(tree: ObjectTree): string[] {
  return tree.instances().map(({ objectId, id }) => formatPath([objectId, id]));
}

const CONFIGURED = after(FACTORY, received(writeSecurity(123)), received(writeServer(123)));
const path = (text: string): string[] => text.split("/").slice(1);
const tlv = ContentFormat.tlv;

test("each operation answers with a code of its table, and what is refused changes nothing (LwM2M 1.1, 6.1.7)", async (t) => {
  const server = received(writeServer(1));
  const cases: readonly [string, Given, string][] = [
    ["Discover /", { method: "GET", accept: 40 }, "2.05"],
    ["Discover /1", { method: "GET", path: path("/1"), accept: 40 }, "2.05"],
    ["Discover an instance", { method: "GET", path: path("/1/0"), accept: 40 }, "4.00"],
    ["Discover an object it lacks", { method: "GET", path: path("/9999"), accept: 40 }, "4.04"],
    ["Read /1", { method: "GET", path: path("/1"), accept: ContentFormat.senmlCbor }, "2.05"],
    ["Read /1/0", { method: "GET", path: path("/1/0"), accept: ContentFormat.senmlJson }, "2.05"],
    ["Read /2, which is empty", { method: "GET", path: path("/2"), accept: tlv }, "2.05"],
    ["Read without Accept", { method: "GET", path: path("/1/0") }, "2.05"],
    ["Read in a format it lacks", { method: "GET", path: path("/1"), accept: 50 }, "4.06"],
    ["Read an instance that is not there", { method: "GET", path: path("/1/7"), accept: tlv }, "4.04"],
    ["Read /0: the keys", { method: "GET", path: path("/0"), accept: tlv }, "4.05"],
    ["Read /0/0: the keys", { method: "GET", path: path("/0/0"), accept: tlv }, "4.05"],
    ["Read /3", { method: "GET", path: path("/3"), accept: tlv }, "4.05"],
    ["Read /", { method: "GET", accept: tlv }, "4.00"],
    ["Read an object it lacks", { method: "GET", path: path("/9999"), accept: tlv }, "4.04"],
    ["Write an instance", server, "2.04"],
    ["Write in a format it lacks", { ...server, contentFormat: 11543 }, "4.15"],
    ["Write without a format", { ...server, contentFormat: undefined }, "4.00"],
    ["Write something cut off", { ...server, payload: server.payload.subarray(0, 5) }, "4.00"],
    ["Write in another format than it says", { ...server, contentFormat: ContentFormat.senmlCbor }, "4.00"],
    ["Write an object it lacks", { ...server, path: path("/9999/0") }, "4.00"],
    ["Write /", { ...server, path: [] }, "4.00"],
    ["Write a resource instance", { ...server, path: path("/1/0/0/0") }, "4.00"],
    ["Write to what is no path", { ...server, path: ["rd"] }, "4.00"],
    ["Delete /", { method: "DELETE" }, "2.02"],
    ["Delete /0", { method: "DELETE", path: path("/0") }, "2.02"],
    ["Delete /1/0", { method: "DELETE", path: path("/1/0") }, "2.02"],
    ["Delete an instance that is gone", { method: "DELETE", path: path("/1/9") }, "2.02"],
    ["Delete the bootstrap account", { method: "DELETE", path: path("/0/0") }, "4.00"],
    ["Delete /3/0", { method: "DELETE", path: path("/3/0") }, "4.00"],
    ["Delete a resource", { method: "DELETE", path: path("/1/0/1") }, "4.00"],
    ["Delete an object it lacks", { method: "DELETE", path: path("/9999") }, "4.00"],
    ["Finish", { method: "POST", path: ["bs"] }, "2.04"],
    ["Finish somewhere else", { method: "POST", path: ["rd"] }, "4.00"],
    ["Execute", { method: "POST", path: path("/1/0/8") }, "4.00"],
    ["FETCH", { method: "FETCH", path: path("/1") }, "4.05"],
    ["PATCH", { method: "PATCH", path: path("/1") }, "4.05"],
  ];
  for (const [what, given, code] of cases) {
    await t.test(what, () => {
      const { response, tree, finished } = performOperation(CONFIGURED, request(given));
      assert.equal(response.code, code);
      assert.equal(finished, what === "Finish");
      if (!code.startsWith("2") || given.method === "GET") assert.equal(tree, CONFIGURED);
    });
  }
});

test("Finish is refused while the configuration is inconsistent, and says why", () => {
  for (const tree of [
    FACTORY,
    after(FACTORY, received(writeServer(1))),
    after(FACTORY, received(writeSecurity(2)), received(writeServer(1))),
  ]) {
    const { response, finished } = performOperation(tree, request({ method: "POST", path: ["bs"] }));
    assert.equal(response.code, "4.06");
    assert.equal(finished, false);
    assert.match(Buffer.from(response.payload ?? NOTHING).toString(), /server account|short server id/);
  }
});

test("Discover tells instances, short server ids and URIs, but not the bootstrap account's", () => {
  const { response } = performOperation(CONFIGURED, request({ method: "GET", accept: 40 }));
  const text = Buffer.from(response.payload ?? NOTHING).toString();
  assert.equal(text, '</>;lwm2m=1.1,</0/0>,</0/1>;ssid=123;uri="coaps://dm.example.com:5684",</1/0>;ssid=123,</2>,</3/0>');
  assert.equal(response.contentFormat, 40);
});

test("Read gives what was written, in each format", () => {
  for (const format of [tlv, ContentFormat.senmlJson, ContentFormat.senmlCbor]) {
    const { response } = performOperation(CONFIGURED, request({ method: "GET", path: ["1", "0"], accept: format }));
    assert.equal(response.contentFormat, format);
    assert.deepEqual(decodeContent(format, [1, 0], response.payload ?? NOTHING), [CONFIGURED.get(1, 0)]);
  }
});

test("an instance that is written anew keeps nothing of what it held", () => {
  const before = after(CONFIGURED, request(resource("/1/0/2", 10)));
  assert.ok(before.get(1, 0)?.resources.has(2));
  const tree = after(before, received(writeServer(124)));
  const written = tree.get(1, 0);
  assert.ok(written !== undefined && !written.resources.has(2));
  assert.equal(resourceValue(written, 0, "integer"), 124);
});

function resource(at: string, value: number): Given {
  const [objectId = 0, instanceId = 0, resourceId = 0] = path(at).map(Number);
  const part = objectInstance(objectId, instanceId, [single(resourceId, { type: "integer", value })]);
  return {
    method: "PUT",
    path: path(at),
    contentFormat: tlv,
    payload: encodeContent(tlv, [objectId, instanceId, resourceId], [part]),
  };
}

test("a resource is written into the instance it has, or makes one", () => {
  const changed = after(CONFIGURED, request(resource("/1/0/1", 60))).get(1, 0);
  assert.ok(changed !== undefined);
  assert.equal(resourceValue(changed, 1, "integer"), 60);
  assert.equal(resourceValue(changed, 0, "integer"), 123);
  assert.ok(after(FACTORY, request(resource("/1/5/1", 60))).get(1, 5) !== undefined);
});

test("an object write puts in its instances and leaves the others", () => {
  const instances = [7, 8].map((id) => objectInstance(1, id, [single(0, { type: "integer", value: id })]));
  const payload = encodeContent(tlv, [1], instances);
  const tree = after(CONFIGURED, request({ method: "PUT", path: ["1"], contentFormat: tlv, payload }));
  assert.deepEqual(pathsOf(tree), ["/0/0", "/0/1", "/1/0", "/1/7", "/1/8", "/3/0"]);
});

test("resources the device does not know are no error and not kept", () => {
  const payload = encodeContent(
    ContentFormat.senmlJson,
    [1, 0],
    [objectInstance(1, 0, [single(0, { type: "integer", value: 5 }), single(999, { type: "string", value: "new" })])],
  );
  const tree = after(FACTORY, request({ method: "PUT", path: ["1", "0"], contentFormat: ContentFormat.senmlJson, payload }));
  assert.deepEqual([...(tree.get(1, 0)?.resources.keys() ?? [])], [0]);
});

test("Delete of / and of objects keeps the bootstrap account and the Device object", () => {
  assert.deepEqual(pathsOf(after(CONFIGURED, request({ method: "DELETE" }))), ["/0/0", "/3/0"]);
  assert.deepEqual(pathsOf(after(CONFIGURED, request({ method: "DELETE", path: ["0"] }))), ["/0/0", "/1/0", "/3/0"]);
  assert.deepEqual(pathsOf(after(CONFIGURED, request({ method: "DELETE", path: ["3"] }))), ["/0/0", "/0/1", "/1/0", "/3/0"]);
});

test("a server cannot fill the device's memory with instances", () => {
  const instances = Array.from({ length: 300 }, (_, id) => objectInstance(1, id, [single(0, { type: "integer", value: 1 })]));
  const payload = encodeContent(tlv, [1], instances);
  const { response, tree } = performOperation(FACTORY, request({ method: "PUT", path: ["1"], contentFormat: tlv, payload }));
  assert.equal(response.code, "5.00");
  assert.equal(tree, FACTORY);
});

test("refusals never repeat what was sent", () => {
  const { response } = performOperation(FACTORY, { ...received(writeSecurity(1)), contentFormat: ContentFormat.senmlJson });
  assert.equal(response.code, "4.00");
  assert.ok(!Buffer.from(response.payload ?? NOTHING).includes(Buffer.from(utf8("dm-identity"))));
});
