import assert from "node:assert/strict";
import { test } from "node:test";
import { ContentFormat, encodeContent, objectInstance, single } from "../../src/lwm2m/index.ts";
import { begin, type Content, configure, deletes, type LockstepDevice, World } from "./lockstep.ts";

/** What the device has after {@link configure}. */
const CONFIGURED = "</>;lwm2m=1.1,</0/0>,</0/10>;ssid=101,</1/10>;ssid=101";

/** An answer to Read of /1 with one server account, in TLV, which lacks what is left out. */
function servers(id: number, resources: readonly number[]): Content {
  const all = [
    single(0, { type: "integer", value: 101n }),
    single(1, { type: "integer", value: 86_400n }),
    single(6, { type: "boolean", value: true }),
    single(7, { type: "string", value: "U" }),
  ];
  const instance = objectInstance(
    1,
    id,
    all.filter((resource) => resources.includes(resource.id)),
  );
  return { contentFormat: ContentFormat.tlv, payload: encodeContent(ContentFormat.tlv, [1], [instance]) };
}

/** Answers Discover after that: the instance of /1 is not there. */
function showsNoServer(device: LockstepDevice): void {
  device.hears("CON GET / accept=40");
  device.answers("2.05", "</>;lwm2m=1.1,</0/0>,</0/10>;ssid=101,</1>");
  device.hears("CON GET /1 accept=11542");
}

/** Everything up to Finish, which is answered 4.06. */
function refuses(device: LockstepDevice): void {
  begin(device);
  configure(device);
  device.answers("4.06");
}

test("4.06 at Finish: what is missing is written again, once, and Finish repeated (LwM2M Core 1.1, section 6.1.7.6)", () => {
  /*
   *                               <--  CON POST /bs
   * ACK 4.06                      -->
   *                               <--  CON GET /  accept link format
   * ACK 2.05 without /1/10        -->
   *                               <--  CON GET /1  accept TLV
   * ACK 2.05                      -->
   *                               <--  CON PUT /1/10
   * ACK 2.04                      -->
   *                               <--  CON POST /bs
   * ACK 2.04                      -->            completed
   */
  const world = new World();
  const device = world.device("id-urn:dev:1");
  refuses(device);
  showsNoServer(device);
  device.answers("2.05", { contentFormat: ContentFormat.tlv, payload: Buffer.alloc(0) });
  device.hears("CON PUT /1/10 11542");
  device.answers("2.04");
  device.hears("CON POST /bs");
  assert.deepEqual(world.told(), ["commenced urn:dev:1"]);
  device.answers("2.04");
  device.hearsNothing();
  assert.deepEqual(world.told(), ["completed urn:dev:1"]);
});

test("what stands in the way is deleted, and an account whose halves do not fit written again", () => {
  const world = new World();
  const device = world.device("id-urn:dev:1");
  refuses(device);
  device.hears("CON GET / accept=40");
  device.answers("2.05", `${CONFIGURED},</0/3>;ssid=7`);
  device.hears("CON GET /1 accept=11542");
  // The short server id is lacking, as Anjay complains.
  device.answers("2.05", servers(10, [1, 6, 7]));
  device.hears("CON DELETE /0/3");
  device.answers("2.02");
  device.hears("CON PUT /1/10 11542");
  device.answers("2.04");
  device.hears("CON POST /bs");
  device.answers("2.04");
  assert.deepEqual(world.told(), ["commenced urn:dev:1", "completed urn:dev:1"]);
});

test("when nothing is found, or the device does not say what it has, the session fails with finish-failed", () => {
  for (const [links, read, detail] of [
    [CONFIGURED, servers(10, [0, 1, 6, 7]), /Finish with 4.06, and nothing was found to correct/],
    [CONFIGURED, "4.05", /nothing was found to correct/],
    [CONFIGURED, { contentFormat: ContentFormat.tlv, payload: Buffer.from([0xff]) }, /nothing was found to correct/],
    ["4.00", undefined, /Finish with 4.06, and does not say what it has/],
  ] as const) {
    const world = new World();
    const device = world.device("id-urn:dev:1");
    refuses(device);
    device.hears("CON GET / accept=40");
    if (links.startsWith("<")) device.answers("2.05", links);
    else device.answers(links);
    if (read !== undefined) {
      device.hears("CON GET /1 accept=11542");
      if (typeof read === "string") device.answers(read);
      else device.answers("2.05", read);
    }
    device.hearsNothing();
    assert.match(world.reports[1]?.detail ?? "", detail);
    assert.deepEqual(world.told(), ["commenced urn:dev:1", "failed urn:dev:1 finish-failed"]);
  }
});

test("a question that is rejected with a Reset counts as refused", () => {
  const world = new World();
  const device = world.device("id-urn:dev:1");
  refuses(device);
  device.hears("CON GET / accept=40");
  device.empties("RST");
  assert.match(world.reports[1]?.detail ?? "", /4.06, and does not say what it has/);
  assert.deepEqual(world.told(), ["commenced urn:dev:1", "failed urn:dev:1 finish-failed"]);
  const other = world.device("id-urn:dev:1");
  refuses(other);
  showsNoServer(other);
  other.empties("RST");
  other.hears("CON PUT /1/10 11542");
});

test("a second 4.06 is the end", () => {
  const world = new World();
  const device = world.device("id-urn:dev:1");
  refuses(device);
  showsNoServer(device);
  device.answers("4.05");
  device.hears("CON PUT /1/10 11542");
  device.answers("2.04");
  device.hears("CON POST /bs");
  device.answers("4.06");
  device.hearsNothing();
  assert.match(world.reports[1]?.detail ?? "", /4.06 again, after what was found had been corrected/);
  assert.deepEqual(world.told(), ["commenced urn:dev:1", "failed urn:dev:1 finish-failed"]);
});

test("Read asks for the format the device takes, and goes on in the next when that is refused", () => {
  const world = new World();
  const device = world.device("id-urn:dev:1");
  begin(device, "POST /bs?ep=urn:dev:1&pct=112");
  deletes(device);
  for (const line of ["CON PUT /0/10 112", "CON PUT /1/10 112"]) {
    device.hears(line);
    device.answers("2.04");
  }
  device.hears("CON POST /bs");
  device.answers("4.06");
  device.hears("CON GET / accept=40");
  device.answers("2.05", CONFIGURED);
  device.hears("CON GET /1 accept=112");
  device.answers("4.06");
  device.hears("CON GET /1 accept=11542");
  device.answers("2.05", servers(10, [0, 1, 7]));
  device.hears("CON PUT /1/10 11542");
});

test("any other error at Finish is not corrected", () => {
  for (const code of ["4.00", "5.00"]) {
    const world = new World();
    const device = world.device("id-urn:dev:1");
    begin(device);
    configure(device);
    device.answers(code);
    device.hearsNothing();
    assert.equal(world.reports[1]?.detail, `the device answered Finish with ${code}`);
    assert.deepEqual(world.told(), ["commenced urn:dev:1", "failed urn:dev:1 finish-failed"]);
  }
});
