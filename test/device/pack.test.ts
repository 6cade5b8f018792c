import assert from "node:assert/strict";
import { test } from "node:test";
import type { CoapResponse, IncomingRequest } from "../../src/coap/index.ts";
import { applyPack, type DeviceOptions, describeTree, type ObjectTree } from "../../src/device/index.ts";
import { utf8 } from "../../src/lib/bytes.ts";
import { ContentFormat, encodeContent, type ObjectInstance, objectInstance, single } from "../../src/lwm2m/index.ts";
import { ENDPOINT, HERE, hostAt, type Story, start } from "./client-fixture.ts";
import { after, CONFIGURED, FACTORY, pathsOf, put } from "./operation-fixture.ts";
import { bootstrapAccount, codesOf, GOOD_SCRIPT, ScriptedServer, security, server } from "./scripted-server.ts";
import { World } from "./world.ts";

const MINUTE = 60_000;
const CONFIGURATION = [security(123), server(123)];
const PACK_FORMATS = [ContentFormat.senmlCbor, ContentFormat.senmlJson, ContentFormat.lwm2mCbor];

function pack(
  instances: readonly ObjectInstance[],
  format: number = ContentFormat.senmlCbor,
): CoapResponse & { payload: Uint8Array } {
  return { code: "2.05", contentFormat: format, payload: encodeContent(format, [], instances) };
}

function applied(tree: ObjectTree, answer: ReturnType<typeof pack>): string[] {
  const result = applyPack(tree, answer, { before: tree });
  return "tree" in result ? pathsOf(result.tree) : [...result.problems];
}

test("a Pack is read in each of its formats, and in no other (6.1.7.7)", () => {
  for (const format of PACK_FORMATS) {
    const result = applyPack(FACTORY, pack(CONFIGURATION, format), {});
    assert.ok("tree" in result);
    assert.deepEqual(describeTree(result.tree), describeTree(CONFIGURED), String(format));
  }
  for (const contentFormat of [undefined, ContentFormat.tlv, ContentFormat.omaJson]) {
    assert.ok("problems" in applyPack(FACTORY, { contentFormat, payload: pack(CONFIGURATION).payload }, {}));
  }
});

test("objects in a Pack are replaced whole, others stay, and the bootstrap account and /3/0 are exempt (BS-15)", () => {
  const acl = (id: number): ObjectInstance =>
    objectInstance(
      2,
      id,
      [0, 1, 3].map((resource) => single(resource, { type: "integer", value: 1 })),
    );
  const before = after(
    CONFIGURED,
    [put(server(123, 5)), put(security(9, 7)), put(acl(0))].filter((_, i) => i !== 0),
  );
  assert.deepEqual(pathsOf(before), ["/0/0", "/0/1", "/0/7", "/1/0", "/2/0", "/3/0"]);
  assert.deepEqual(applied(before, pack([security(4, 2), server(4, 3)])), ["/0/0", "/0/2", "/1/3", "/2/0", "/3/0"]);
});

test("a Pack can replace the bootstrap account, where it is or beside it", () => {
  for (const id of [0, 9]) {
    const paths = applied(CONFIGURED, pack([bootstrapAccount(id), security(4, 2), server(4, 0)]));
    assert.deepEqual(paths, id === 0 ? ["/0/0", "/0/2", "/1/0", "/3/0"] : ["/0/2", "/0/9", "/1/0", "/3/0"]);
  }
});

test("a Pack that leaves the device with something inconsistent, or names what it lacks, says what", () => {
  for (const [instances, why] of [
    [[server(123)], /server id 123, which no instance of \/0 has/],
    [[security(123, 0), server(123)], /there are 0 bootstrap accounts/],
    [
      [...CONFIGURATION, objectInstance(3303, 0, [single(5701, { type: "string", value: "Cel" })])],
      /the device has no object \/3303/,
    ],
    [[...CONFIGURATION, objectInstance(3, 1, [single(0, { type: "string", value: "B" })])], /\/3 has one instance/],
    [Array.from({ length: 200 }, (_, id) => server(id + 1, id)), /\/1 has 200 instances, too many/],
  ] as const) {
    assert.match(applied(FACTORY, pack(instances)).join("; "), why);
  }
});

/** A server that answers Pack-Requests so, and a device that asks for one. */
function setting(
  answer: (request: IncomingRequest<{ key: string }>) => CoapResponse | undefined,
  options: Partial<DeviceOptions> = {},
): { world: World; scripted: ScriptedServer; story: Story } {
  const world = new World();
  const scripted = new ScriptedServer(world, HERE);
  scripted.script = GOOD_SCRIPT;
  scripted.answer = (request) => (request.path.at(-1) === "bspack" ? answer(request) : { code: "2.04" });
  world.names.set(hostAt(world.epoch), { ipv4: [HERE.address], ipv6: [] });
  return { world, scripted, story: start(world, { pack: true, ...options }) };
}

const asked = ({ requests }: ScriptedServer): string[] =>
  requests.map(({ method, path, query, accept }) => `${method} /${path.join("/")}?${query.join("&")} ${accept ?? ""}`.trimEnd());
const PACK_REQUEST = `GET /bspack?ep=${ENDPOINT}&acc=</0/0> 112`;
const BS_REQUEST = `POST /bs?ep=${ENDPOINT}&pct=112`;

test("a device that is given a Pack is configured by it: one exchange, and no Finish (BS-12)", async () => {
  const { world, scripted, story } = setting(() => pack(CONFIGURATION));
  assert.ok(await world.run(() => story.result !== undefined, MINUTE));
  assert.deepEqual(asked(scripted), [PACK_REQUEST]);
  assert.deepEqual(scripted.results, []);
  assert.deepEqual(pathsOf(story.client.tree), pathsOf(CONFIGURED));
  assert.ok(await world.run(() => story.closed, 5 * MINUTE), "and the association is given up some time");
  assert.equal(world.openSockets, 0);
});

test("a Pack larger than a block arrives too", async () => {
  const servers = Array.from({ length: 40 }, (_, id) => [security(id + 1, id + 1), server(id + 1, id)]).flat();
  const { world, story } = setting(() => pack(servers));
  assert.ok(await world.run(() => story.result !== undefined, MINUTE));
  assert.equal(story.client.tree.instances(1).length, 40);
});

test("any answer but 2.05 leads to a Bootstrap-Request at once, on the same association (BS-12)", async () => {
  for (const code of ["4.00", "4.04", "4.05", "4.06", "5.00", "5.01", "2.04"] as const) {
    const { world, scripted, story } = setting(() => ({ code }));
    if (code === "2.04") scripted.script = [];
    assert.ok(await world.run(() => scripted.requests.length === 2, MINUTE), code);
    assert.deepEqual(asked(scripted), [PACK_REQUEST, BS_REQUEST]);
    assert.equal(story.attempts.length, 1);
    if (code !== "2.04") assert.ok(await world.run(() => story.result !== undefined, MINUTE));
    story.client.stop();
  }
});

test("an inconsistent or unreadable Pack changes nothing and leads to a Bootstrap-Request (BS-15)", async () => {
  for (const answer of [
    pack([server(123)]),
    { code: "2.05", contentFormat: 112, payload: utf8("nonsense") },
    { code: "2.05", payload: utf8("nonsense") },
    { code: "2.05", contentFormat: 112, payload: new Uint8Array(100_000) },
  ] as const) {
    const { world, scripted, story } = setting(() => answer);
    scripted.script = GOOD_SCRIPT;
    assert.ok(await world.run(() => scripted.finished.length === 1, MINUTE));
    assert.deepEqual(asked(scripted).at(-1), BS_REQUEST);
    assert.deepEqual(codesOf(scripted.results), ["2.02", "2.04", "2.04", "2.04"]);
    story.client.stop();
  }
});

test("5.03 to a Pack-Request is honoured like any other: no Bootstrap-Request until Max-Age is over (D6, D7)", async () => {
  let busy = true;
  const { world, scripted, story } = setting(() => (busy ? { code: "5.03", maxAge: 120 } : pack(CONFIGURATION)));
  world.at(MINUTE, () => {
    busy = false;
  });
  assert.ok(await world.run(() => story.result !== undefined, 5 * MINUTE));
  assert.deepEqual(asked(scripted), [PACK_REQUEST, PACK_REQUEST]);
  assert.deepEqual([story.failures[0]?.cause, story.failures[0]?.maxAge], ["busy", 120]);
  assert.ok((story.result?.elapsed ?? 0) >= 120_000);
  story.client.stop();
});

test("a server that is silent about Packs is not asked for one again", async () => {
  const { world, scripted, story } = setting(() => undefined);
  assert.ok(await world.run(() => story.result !== undefined, 10 * MINUTE));
  assert.deepEqual(asked(scripted), [PACK_REQUEST, BS_REQUEST]);
  assert.deepEqual([story.failures[0]?.cause, story.result?.number], ["no-answer", 2]);
  story.client.stop();
});

test("nor is one that does not even acknowledge the request: it may be gone, so the next attempt looks its name up anew", async () => {
  const { world, scripted, story } = setting((request) => {
    world.loss = 1;
    return void request;
  });
  assert.ok(await world.run(() => story.failures.length === 1, 10 * MINUTE));
  assert.equal(story.failures[0]?.cause, "no-answer");
  world.loss = 0;
  assert.ok(await world.run(() => story.result !== undefined, 10 * MINUTE));
  assert.deepEqual([asked(scripted).at(-1), story.result?.number, world.asked.length], [BS_REQUEST, 2, 2]);
  story.client.stop();
});

test("what the bootstrap account links to is in acc; path and query of the URI come first (N5)", async () => {
  const world = new World();
  const scripted = new ScriptedServer(world, HERE);
  scripted.answer = pack(CONFIGURATION);
  world.names.set("bs.example.com", { ipv4: [HERE.address], ipv6: [] });
  const mqtt = single(26, { type: "objlnk", value: { objectId: 24, instanceId: 5 } });
  const tree = after(FACTORY, [
    put(bootstrapAccount(2, { uri: "coaps://bs.example.com/tenant?x=1", more: [mqtt] })),
    put(objectInstance(24, 5, [single(6, { type: "string", value: "client" })])),
  ]).filter(({ objectId, id }) => objectId !== 0 || id === 2);
  const story = start(world, { recipe: "none", version: "1.2", tree });
  assert.ok(await world.run(() => story.result !== undefined, MINUTE));
  assert.deepEqual(asked(scripted), [`GET /tenant/bspack?x=1&ep=${ENDPOINT}&acc=</0/2>,</24/5> 112`]);
  story.client.stop();
});

test("LwM2M 1.2 asks for a Pack unless told not to, older ones have none", async () => {
  for (const [options, first] of [
    [{ version: "1.2" }, PACK_REQUEST],
    [{ version: "1.2", formats: [11544, 112] }, PACK_REQUEST.replace("112", "11544")],
    [{ version: "1.2", pack: false }, BS_REQUEST],
    [{ version: "1.1" }, BS_REQUEST],
    [{}, BS_REQUEST],
  ] as const) {
    const world = new World();
    const scripted = new ScriptedServer(world, HERE);
    world.names.set(hostAt(world.epoch), { ipv4: [HERE.address], ipv6: [] });
    const story = start(world, options);
    assert.ok(await world.run(() => scripted.requests.length > 0, MINUTE));
    assert.equal(asked(scripted)[0], first);
    story.client.stop();
  }
});

test("settings that contradict each other are refused before the first attempt", () => {
  const world = new World();
  assert.throws(() => start(world, { pack: true, version: "1.1" }), /pack: LwM2M 1\.1 has no Bootstrap-Pack, 1\.2 has/);
  assert.throws(() => start(world, { pack: true, formats: [11542] }), /pack: none of formats is one a Bootstrap-Pack can have/);
  assert.throws(() => start(world, { formats: [60] }), /formats: 60 is none that a client may prefer/);
  assert.throws(() => start(world, { version: "1.0", formats: [112] }), /formats: LwM2M 1\.0 has no pct/);
});
