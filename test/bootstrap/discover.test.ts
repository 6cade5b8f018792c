import assert from "node:assert/strict";
import { test } from "node:test";
import { assignment, begin, type LockstepDevice, PROFILE, World } from "./lockstep.ts";

const DISCOVERING = { ...PROFILE, discover: true };
const discovering = (): World => new World({ profiles: { default: DISCOVERING } });

/** Answers the deletes, and gives what is written where, up to Finish. */
function places(device: LockstepDevice): string[] {
  const written: string[] = [];
  for (;;) {
    const [method, path] = device.next();
    if (method === "POST") return written;
    if (method === "PUT") written.push(path);
    device.answers(method === "PUT" ? "2.04" : "2.02");
  }
}

test("a session begins with Discover, and what is written goes where the client has room (LwM2M Core 1.1, section 6.1.7.4)", () => {
  /*
   * CON POST /bs?ep=urn:dev:1     -->            commenced
   *                               <--  ACK 2.04
   *                               <--  CON GET /  accept link format
   * ACK 2.05 </>;lwm2m=1.1,</0/0>,</1>  -->
   *                               <--  CON DELETE /0 ... PUT /0/1, PUT /1/1
   */
  const world = discovering();
  const device = world.device("id-urn:dev:1");
  begin(device);
  device.hears("CON GET / accept=40");
  device.hearsNothing();
  device.answers("2.05", "</>;lwm2m=1.1,</0/0>,</1>,</3/0>");
  assert.deepEqual(places(device), ["/0/1", "/1/1"]);
  device.answers("2.04");
  assert.deepEqual(world.told(), ["commenced urn:dev:1", "completed urn:dev:1"]);
});

test("where the bootstrap account is decides where nothing is written", () => {
  for (const [links, expected] of [
    ['</>;lwm2m=1.2,</0>,</0/1>;uri="coap://bs.example.com",</1>', ["/0/0", "/1/0"]],
    ["</>;lwm2m=1.1,</0/0>,</0/7>;ssid=101,</1/7>;ssid=101", ["/0/1", "/1/1"]],
    ["</>;lwm2m=1.1,</0/0>,</0/1>;ssid=7,</1/1>;ssid=7", ["/0/1", "/1/1"]],
  ] as const) {
    const device = discovering().device("id-urn:dev:1");
    begin(device);
    device.hears("CON GET / accept=40");
    device.answers("2.05", links);
    assert.deepEqual(places(device), expected, links);
  }
});

test("a Discover that is refused, or whose answer cannot be read or leaves out the Security object, does not fail the session", () => {
  for (const [code, links] of [
    ["4.00", undefined],
    ["4.04", undefined],
    ["4.05", undefined],
    ["4.06", undefined],
    ["5.01", undefined],
    ["2.05", "this is no link format"],
    ["2.05", ""],
    ["2.05", "</>;lwm2m=1.1,</1>,</3/0>"],
    ["2.05", "</>;lwm2m=1.1,</0>,</1>"],
  ] as const) {
    const world = discovering();
    const device = world.device("id-urn:dev:1");
    begin(device);
    device.hears("CON GET / accept=40");
    device.answers(code, links);
    assert.deepEqual(places(device), ["/0/10", "/1/10"], "out of the way of bootstrap accounts");
    device.answers("2.04");
    assert.deepEqual(world.told(), ["commenced urn:dev:1", "completed urn:dev:1"]);
  }
});

test("so does one that is rejected with a Reset", () => {
  const device = discovering().device("id-urn:dev:1");
  begin(device);
  device.hears("CON GET / accept=40");
  device.empties("RST");
  assert.deepEqual(places(device), ["/0/10", "/1/10"]);
});

test("one that is not answered at all fails the session, as the device is gone", () => {
  const world = discovering();
  const device = world.device("id-urn:dev:1");
  begin(device);
  world.passes(30_100);
  assert.deepEqual(world.told(), ["commenced urn:dev:1", "failed urn:dev:1 request-failed"]);
  world.log.says(/bootstrap failed .*Discover \/: no answer/);
});

test("the answer may come in blocks", () => {
  const device = discovering().device("id-urn:dev:1");
  begin(device);
  device.hears("CON GET / accept=40");
  const links = `</>;lwm2m=1.1,</0/1>,</1>,${Array.from({ length: 8 }, (_, id) => `</3303/${id}>`).join(",")}`;
  const block = (num: number, more: 0 | 8): { name: "Block2"; value: Buffer } => ({
    name: "Block2",
    value: Buffer.from([num * 16 + more + 2]),
  });
  device.answers("2.05", links.slice(0, 64), block(0, 8));
  device.hears("CON GET / accept=40");
  device.answers("2.05", links.slice(64), block(1, 0));
  assert.deepEqual(places(device), ["/0/0", "/1/0"]);
});

test("a profile whose bootstrap account cannot be found in the client fails the session with no-profile", () => {
  const uri = "coaps://bs2.example.com:5684";
  const bootstrapServer = { uri, security: { mode: "psk", identity: "{endpoint}", key: "{attributes.key}" } };
  const world = new World({ profiles: { default: { ...DISCOVERING, bootstrapServer } } });
  const device = world.device("id-urn:dev:1");
  begin(device);
  device.hears("CON GET / accept=40");
  device.answers("4.00");
  device.hearsNothing();
  assert.match(world.reports[1]?.detail ?? "", /bootstrapServer: this client does not say what it has/);
  assert.deepEqual(world.told(), ["commenced urn:dev:1", "failed urn:dev:1 no-profile"]);
  const shown = world.device("id-urn:dev:1");
  begin(shown);
  shown.hears("CON GET / accept=40");
  shown.answers("2.05", "</>;lwm2m=1.1,</0/1>,</1>");
  assert.deepEqual(places(shown), ["/0/0", "/1/0", "/0/1"], "the bootstrap account comes last");
});

test("a profile that lacks an attribute is found out before the device is answered, not after Discover", () => {
  const world = new World({
    assigned: [assignment("urn:dev:1", { attributes: {} })],
    profiles: { default: DISCOVERING },
  });
  const device = world.device("id-urn:dev:1");
  device.sends("POST /bs?ep=urn:dev:1");
  device.hears('ACK 4.00 "no bootstrap config"');
  assert.deepEqual(world.told(), ["commenced urn:dev:1", "failed urn:dev:1 no-profile"]);
});
