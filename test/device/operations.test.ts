import assert from "node:assert/strict";
import { test } from "node:test";
import { performOperation } from "../../src/device/index.ts";
import { utf8 } from "../../src/lib/bytes.ts";
import {
  ContentFormat,
  decodeContent,
  encodeContent,
  objectInstance,
  type ResourceValue,
  resourceValue,
  single,
} from "../../src/lwm2m/index.ts";
import {
  after,
  answerTo,
  CONFIGURED,
  FACTORY,
  type Given,
  NOTHING,
  pathsOf,
  received,
  request,
  segments,
} from "./operation-fixture.ts";
import { write, writeSecurity, writeServer } from "./scripted-server.ts";

const path = segments;
const tlv = ContentFormat.tlv;
/** Formats that can hold more than one value. */
const STRUCTURED = [tlv, ContentFormat.senmlJson, ContentFormat.senmlCbor, ContentFormat.lwm2mCbor];

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
    ["Write in a format it lacks", { ...server, contentFormat: 50 }, "4.15"],
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
    after(FACTORY, [received(writeServer(1))]),
    after(FACTORY, [received(writeSecurity(2)), received(writeServer(1))]),
  ]) {
    const { response, finished } = performOperation(tree, request({ method: "POST", path: ["bs"] }));
    assert.equal(response.code, "4.06");
    assert.equal(finished, false);
    assert.match(Buffer.from(response.payload ?? NOTHING).toString(), /server account|short server id/);
  }
});

test("Read gives what was written, in each format", () => {
  for (const format of STRUCTURED) {
    const { response } = performOperation(CONFIGURED, request({ method: "GET", path: ["1", "0"], accept: format }));
    assert.equal(response.contentFormat, format);
    assert.deepEqual(decodeContent(format, [1, 0], response.payload ?? NOTHING), [CONFIGURED.get(1, 0)]);
  }
});

test("an instance that is written anew keeps nothing of what it held", () => {
  const before = after(CONFIGURED, [request(resource("/1/0/2", 10))]);
  assert.ok(before.get(1, 0)?.resources.has(2));
  const tree = after(before, [received(writeServer(124))]);
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
  const changed = after(CONFIGURED, [request(resource("/1/0/1", 60))]).get(1, 0);
  assert.ok(changed !== undefined);
  assert.equal(resourceValue(changed, 1, "integer"), 60);
  assert.equal(resourceValue(changed, 0, "integer"), 123);
  assert.ok(after(FACTORY, [request(resource("/1/5/1", 60))]).get(1, 5) !== undefined);
});

test("an object write puts in its instances and leaves the others, in every format that can hold several", () => {
  for (const format of STRUCTURED) {
    const instances = [7, 8].map((id) => objectInstance(1, id, [single(0, { type: "integer", value: id })]));
    const payload = encodeContent(format, [1], instances);
    const tree = after(CONFIGURED, [request({ method: "PUT", path: ["1"], contentFormat: format, payload })]);
    assert.deepEqual(pathsOf(tree), ["/0/0", "/0/1", "/1/0", "/1/7", "/1/8", "/3/0"], String(format));
  }
});

test("an instance is written in every format that can hold several values; LwM2M JSON is read too", () => {
  for (const format of STRUCTURED) {
    const tree = after(FACTORY, [received(write(serverWith(77), format))]);
    assert.deepEqual(tree.get(1, 0), serverWith(77), String(format));
  }
  const payload = utf8('{"bn":"/1/0/","e":[{"n":"0","v":77},{"n":"7","sv":"U"}]}');
  const json = request({ method: "PUT", path: ["1", "0"], contentFormat: ContentFormat.omaJson, payload });
  assert.deepEqual(after(FACTORY, [json]).get(1, 0), serverWith(77));
});

function serverWith(ssid: number): ReturnType<typeof objectInstance> {
  return objectInstance(1, 0, [single(0, { type: "integer", value: ssid }), single(7, { type: "string", value: "U" })]);
}

test("a resource is written in every format, in text, opaque and CBOR as well, and these only a resource", () => {
  const values: readonly [number, ResourceValue, Uint8Array][] = [
    [ContentFormat.text, { type: "integer", value: 86_400 }, utf8("86400")],
    [ContentFormat.cbor, { type: "integer", value: 86_400 }, Buffer.from("1a00015180", "hex")],
    ...STRUCTURED.map((format): [number, ResourceValue, Uint8Array] => {
      const value: ResourceValue = { type: "integer", value: 86_400 };
      return [format, value, encodeContent(format, [1, 0, 1], [objectInstance(1, 0, [single(1, value)])])];
    }),
  ];
  for (const [format, value, payload] of values) {
    const tree = after(CONFIGURED, [request({ method: "PUT", path: path("/1/0/1"), contentFormat: format, payload })]);
    assert.deepEqual(tree.get(1, 0)?.resources.get(1), single(1, value), String(format));
    assert.equal(tree.get(1, 0)?.resources.size, CONFIGURED.get(1, 0)?.resources.size);
  }
  const key = request({ method: "PUT", path: path("/0/1/5"), contentFormat: ContentFormat.opaque, payload: utf8("another key") });
  assert.deepEqual(
    after(CONFIGURED, [key]).get(0, 1)?.resources.get(5),
    single(5, { type: "opaque", value: utf8("another key") }),
  );
  for (const format of [ContentFormat.text, ContentFormat.opaque, ContentFormat.cbor]) {
    for (const at of ["/1", "/1/0"]) {
      const wrong = request({ method: "PUT", path: path(at), contentFormat: format, payload: utf8("1") });
      assert.match(answerTo(CONFIGURED, wrong), /^4\.15/, `${format} at ${at}`);
    }
  }
  const text = request({ method: "PUT", path: path("/1/0/1"), contentFormat: ContentFormat.text, payload: utf8("a day") });
  assert.match(answerTo(CONFIGURED, text), /^4\.00/, "the data does not fit the resource");
});

test("resources the device does not know are no error and not kept", () => {
  const payload = encodeContent(
    ContentFormat.senmlJson,
    [1, 0],
    [objectInstance(1, 0, [single(0, { type: "integer", value: 5 }), single(999, { type: "string", value: "new" })])],
  );
  const tree = after(FACTORY, [request({ method: "PUT", path: ["1", "0"], contentFormat: ContentFormat.senmlJson, payload })]);
  assert.deepEqual([...(tree.get(1, 0)?.resources.keys() ?? [])], [0]);
});

test("an object with one instance has it with the id 0", () => {
  assert.match(answerTo(CONFIGURED, received(write(objectInstance(3, 1, [])))), /^4\.00/);
});

test("an LwM2M 1.0 device has no Read (1.0 has none on this interface)", () => {
  const read = request({ method: "GET", path: ["1"], accept: tlv });
  assert.match(answerTo(CONFIGURED, read, { version: "1.0" }), /^4\.05/);
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
