import assert from "node:assert/strict";
import { test } from "node:test";
import type { LookupReply } from "../../src/control/index.ts";
import { decodeContent, formatPath } from "../../src/lwm2m/index.ts";
import { builtInRecipe, temporaryUri } from "../../src/naming/index.ts";
import { assignment, begin, type LockstepDevice, NOON, PROFILE, World } from "./lockstep.ts";

const GET = "GET /bspack?ep=urn:dev:1";

/** The instances of a Pack, by path. */
function instancesOf(device: LockstepDevice, format: number): string[] {
  const { payload } = device.hears(`CON 2.05 ${format}`);
  return decodeContent(format, [], payload).map(({ objectId, id }) => formatPath([objectId, id]));
}

/** Asserts that a Pack is refused with this answer, that no session begins, and what the log says. */
function refused(world: World, request: string, answer: string, why: RegExp, accept?: number): void {
  const device = world.device("id-urn:dev:1");
  device.sends(request, accept === undefined ? {} : { accept });
  device.hears(answer);
  device.hearsNothing();
  assert.deepEqual(world.told(), []);
  world.log.says(why);
}

test("the whole configuration in one answer, which counts when the device has acknowledged it and had the time to object", () => {
  /*
   * CON GET /bspack?ep=urn:dev:1  -->            commenced
   *                               <--  ACK
   *                               <--  CON 2.05 (SenML CBOR)
   * ACK                           -->
   *                         5 s                  completed, close_notify
   */
  const world = new World();
  const device = world.device("id-urn:dev:1");
  device.sends(GET);
  device.hears("ACK");
  assert.deepEqual(instancesOf(device, 112), ["/0/10", "/1/10"]);
  world.passes(4000);
  device.heard.splice(0);
  device.empties("ACK");
  world.passes(4900);
  assert.deepEqual(world.told(), ["commenced urn:dev:1"]);
  assert.equal(device.closed, false);
  world.passes(200);
  assert.deepEqual(world.told(), ["completed urn:dev:1"]);
  assert.equal(device.closed, true);
  assert.equal(world.directory.byEndpoint("urn:dev:1"), undefined);
  assert.deepEqual(world.service.counts, { sessions: 0, completed: 1, failed: 0 });
});

test("Accept chooses the format; SenML CBOR if there is none, 4.06 if it can be no Pack", () => {
  for (const format of [112, 110, 11544]) {
    const device = new World().device("id-urn:dev:1");
    device.sends(GET, { accept: format });
    device.hears("ACK");
    assert.deepEqual(instancesOf(device, format), ["/0/10", "/1/10"]);
  }
  for (const format of [0, 40, 60, 11542, 11543])
    refused(new World(), GET, "ACK 4.06", /no content format a Bootstrap-Pack/, format);
});

test("acc says where the bootstrap account is (LwM2M Core 1.2.1); what is no list of instances is 4.00", () => {
  for (const [acc, expected] of [
    ["</0/0>", ["/0/1", "/1/1"]],
    ["</0/1>,</21/0>", ["/0/0", "/1/0"]],
  ] as const) {
    const device = new World().device("id-urn:dev:1");
    device.sends(`${GET}&acc=${acc}`);
    device.hears("ACK");
    assert.deepEqual(instancesOf(device, 112), expected, acc);
  }
  const bad = ["", "/0/0", "</0/0>;ssid=1", "</0>", "</0/0/0>", "</0/99999>", "</0/0>,", "<0/0>", "</0/0> </0/1>"];
  for (const acc of bad) {
    refused(new World(), `${GET}&acc=${acc}`, 'ACK 4.00 "acc is not a list of object instances"', /acc cannot be read/);
  }
});

test("the checks of a Bootstrap-Request are those of a Pack", () => {
  const world = new World();
  const device = world.device("id-urn:dev:1");
  device.sends(GET, { confirmable: false });
  device.hears('NON 4.00 "CON CoAP type expected"');
  refused(world, "GET /bspack?ep=", 'ACK 4.00 "endpoint name missing"', /names no endpoint/);
  refused(world, "GET /bspack?ep=urn:dev:2", 'ACK 4.00 "Unauthorized"', /does not belong/);
  refused(world, `${GET}&ep=urn:dev:1`, 'ACK 4.00 "ep is given twice"', /twice/);
  const name = world.nameOf("urn:dev:2");
  const other = world.device("id-urn:dev:1", { serverName: name });
  other.sends(GET);
  other.hears('ACK 4.00 "Unauthorized"');
  world.log.says(/not a live name/);
});

test("acc is no part of the name where names are in the query", () => {
  const recipe = { ...builtInRecipe("berth-1"), place: { in: "query" as const, key: "t" } };
  const uri = "coaps://bs.example.com/a?x=1";
  const secret = Buffer.from(assignment("urn:dev:1").psk, "hex");
  const { path, query } = temporaryUri(recipe, uri, { secret, endpoint: "urn:dev:1", instant: NOON });
  for (const given of [`${query}&`, "x=1&"]) {
    const device = new World({ recipe, uri }).device("id-urn:dev:1");
    device.sends(`GET ${path}/bspack?${given}ep=urn:dev:1&acc=</0/0>`);
    device.hears("ACK");
  }
});

test("a profile that cannot be said in a Pack is 4.05, and the device goes on with a Bootstrap-Request", () => {
  const profiles = { default: { ...PROFILE, objects: { "/3/0/15": "Europe/Berlin" } } };
  const world = new World({ profiles });
  refused(world, GET, "ACK 4.05", /profile default cannot be said in a Bootstrap-Pack/);
  begin(world.device("id-urn:dev:1"));
});

test("a profile that is not known or does not fit is 4.00 and told to the balancer", () => {
  for (const change of [{ profile: "missing" }, { attributes: {} }]) {
    const world = new World({ assigned: [assignment("urn:dev:1", change)] });
    const device = world.device("id-urn:dev:1");
    device.sends(GET);
    device.hears('ACK 4.00 "no bootstrap config"');
    assert.deepEqual(world.told(), ["commenced urn:dev:1", "failed urn:dev:1 no-profile"]);
  }
});

test("when the balancer cannot be asked the answer is 5.03, never silence", async () => {
  const ask = async (): Promise<LookupReply> => {
    throw new Error("no balancer");
  };
  const world = new World({ assigned: [], ask });
  const device = world.device("id-urn:dev:1");
  device.sends(GET);
  await new Promise((resolve) => setImmediate(resolve));
  device.hears("ACK 5.03");
});

test("a Pack of several blocks counts when its last block has arrived (RFC 7959)", () => {
  const objects = { "/2/0": { 0: 3, 1: 0, 3: 101, 2: Object.fromEntries(Array.from({ length: 200 }, (_, id) => [id + 1, 31])) } };
  const world = new World({ profiles: { default: { ...PROFILE, delete: ["/0", "/1", "/2"], objects } } });
  const device = world.device("id-urn:dev:1");
  const block = (num: number): { name: "Block2"; value: Buffer } => ({ name: "Block2", value: Buffer.from([num * 16 + 6]) });
  device.sends(GET);
  const first = device.hears("ACK 2.05 112");
  assert.equal(first.payload.length, 1024);
  world.passes(3000);
  assert.deepEqual(world.told(), ["commenced urn:dev:1"]);
  const parts = [first.payload];
  for (let num = 1; ; num++) {
    device.sends(GET, { options: [block(num)] });
    const [answer] = device.heard;
    if (answer?.code === "0.00") break;
    parts.push(device.hears("ACK 2.05 112").payload);
  }
  device.hears("ACK");
  parts.push(device.hears("CON 2.05 112").payload);
  assert.equal(decodeContent(112, [], Buffer.concat(parts)).length, 3);
  device.empties("ACK");
  world.passes(5100);
  assert.deepEqual(world.told(), ["completed urn:dev:1"]);
});

test("a Pack that does not arrive, is rejected, or not fetched to its end, fails the session", () => {
  const silent = new World();
  silent.device("id-urn:dev:1").sends(GET);
  silent.passes(24_000);
  assert.equal(silent.reports[1]?.detail, "the Bootstrap-Pack did not arrive: no answer");
  assert.deepEqual(silent.told(), ["commenced urn:dev:1", "failed urn:dev:1 request-failed"]);

  const rejecting = new World();
  const device = rejecting.device("id-urn:dev:1");
  device.sends(GET);
  device.hears("ACK");
  device.hears("CON 2.05 112");
  device.empties("RST");
  assert.deepEqual(rejecting.told(), ["commenced urn:dev:1", "failed urn:dev:1 request-failed"]);

  const objects = { "/2/0": { 0: 3, 1: 0, 3: 101, 2: Object.fromEntries(Array.from({ length: 200 }, (_, id) => [id + 1, 31])) } };
  const leaving = new World({ profiles: { default: { ...PROFILE, delete: ["/0", "/1", "/2"], objects } } });
  leaving.device("id-urn:dev:1").sends(GET);
  leaving.passes(60_100);
  assert.equal(leaving.reports[1]?.detail, "no end by its Bootstrap-Pack");
  assert.deepEqual(leaving.told(), ["commenced urn:dev:1", "failed urn:dev:1 deadline"]);
});

/** A device that has its Pack, and a moment to object. */
function settling(world: World): LockstepDevice {
  const device = world.device("id-urn:dev:1");
  device.sends(GET);
  device.hears("ACK");
  device.hears("CON 2.05 112");
  device.empties("ACK");
  assert.deepEqual(world.told(), ["commenced urn:dev:1"]);
  return device;
}

test("a device that finds its Pack inconsistent comes with a Bootstrap-Request, and is served", () => {
  /*
   *                               <--  CON 2.05
   * ACK                           -->
   * CON POST /bs?ep=urn:dev:1     -->            failed cancelled, commenced
   *                               <--  ACK 2.04
   *                               <--  CON DELETE /0
   */
  const world = new World();
  const device = settling(world);
  begin(device);
  device.hears("CON DELETE /0");
  assert.deepEqual(world.told(), ["failed urn:dev:1 cancelled", "commenced urn:dev:1"]);
  world.passes(900);
  device.answers("2.02");
  device.hears("CON DELETE /1");
});

test("so does one that asks for the Pack once more, also from another association", () => {
  const world = new World();
  settling(world);
  const again = world.device("id-urn:dev:1");
  again.sends(GET);
  again.hears("ACK");
  again.hears("CON 2.05 112");
  assert.deepEqual(world.told(), ["failed urn:dev:1 cancelled", "commenced urn:dev:1"]);
});

test("a device that leaves with its Pack has completed; one that shakes hands anew may still object", () => {
  const leaves = new World();
  settling(leaves).leaves();
  assert.deepEqual(leaves.told(), ["completed urn:dev:1"]);

  const world = new World();
  settling(world).leaves({ replaced: true });
  assert.deepEqual(world.told(), []);
  begin(world.device("id-urn:dev:1"));
  assert.deepEqual(world.told(), ["failed urn:dev:1 cancelled", "commenced urn:dev:1"]);

  const quiet = new World();
  settling(quiet).leaves({ replaced: true });
  quiet.passes(5100);
  assert.deepEqual(quiet.told(), ["completed urn:dev:1"]);
});

test("the session's deadline does not fail a device that has its Pack", () => {
  const world = new World({ service: { sessionDeadline: 3000 } });
  settling(world);
  world.passes(3100);
  assert.deepEqual(world.told(), ["completed urn:dev:1"]);
});

test("a device that leaves before it has its Pack has not got it", () => {
  const world = new World();
  const device = world.device("id-urn:dev:1");
  device.sends(GET);
  device.leaves();
  assert.deepEqual(world.told(), ["commenced urn:dev:1", "failed urn:dev:1 connection-lost"]);
});

test("a stranger on a NoSec listener cannot take the place of a Pack on its way, nor of one that settles", () => {
  const world = new World();
  const device = world.device("id-urn:dev:1");
  device.sends(GET);
  const stranger = world.device(null, { address: "192.0.2.66" });
  stranger.sends("POST /bs?ep=urn:dev:1");
  stranger.hears('ACK 4.00 "Unauthorized"');
  device.hears("ACK");
  device.hears("CON 2.05 112");
  device.empties("ACK");
  stranger.sends(GET);
  stranger.hears('ACK 4.00 "Unauthorized"');
  world.passes(5100);
  assert.deepEqual(world.told(), ["commenced urn:dev:1", "completed urn:dev:1"]);
});
