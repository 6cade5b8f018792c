import assert from "node:assert/strict";
import { test } from "node:test";
import { assignment, begin, configure, deletes, PROFILE, World } from "./lockstep.ts";

test("a session: request, deletes, writes, Finish", () => {
  /*
   * device                             instance
   * CON POST /bs?ep=urn:dev:1     -->            commenced
   *                               <--  ACK 2.04
   *                               <--  CON DELETE /0
   * ACK 2.02                      -->
   *                               <--  CON DELETE /1
   * ACK 2.02                      -->
   *                               <--  CON PUT /0/10
   * ACK 2.04                      -->
   *                               <--  CON PUT /1/10
   * ACK 2.04                      -->
   *                               <--  CON POST /bs
   * ACK 2.04                      -->            completed
   */
  const world = new World();
  const device = world.device("id-urn:dev:1");
  begin(device);
  device.hears("CON DELETE /0");
  device.hearsNothing();
  assert.deepEqual(world.told(), ["commenced urn:dev:1"]);
  device.answers("2.02");
  device.hears("CON DELETE /1");
  device.answers("2.02");
  device.hears("CON PUT /0/10 11542");
  device.answers("2.04");
  device.hears("CON PUT /1/10 11542");
  device.answers("2.04");
  device.hears("CON POST /bs");
  assert.deepEqual(world.told(), []);
  device.answers("2.04");
  assert.deepEqual(world.told(), ["completed urn:dev:1"]);
  assert.equal(world.directory.byEndpoint("urn:dev:1"), undefined, "a completed device is forgotten");
  assert.deepEqual(world.service.counts, { sessions: 0, completed: 1, failed: 0 });
  device.hearsNothing();
});

test("the association outlives the session for a while, in which a Bootstrap-Request sent again is answered again", () => {
  /*
   * CON POST /bs [id 1]           -->
   *                               <--  ACK 2.04 [id 1], lost
   *                 ... the session, Finish ...
   * CON POST /bs [id 1]           -->
   *                               <--  ACK 2.04 [id 1]
   *                     5 s           close_notify
   */
  const world = new World();
  const device = world.device("id-urn:dev:1");
  const request = device.sends("POST /bs?ep=urn:dev:1");
  device.hears("ACK 2.04");
  configure(device);
  device.answers("2.04");
  world.passes(3000);
  device.sendsAgain(request);
  device.hears("ACK 2.04");
  device.hearsNothing();
  assert.equal(device.closed, false);
  world.passes(2100);
  assert.equal(device.closed, true);
  assert.deepEqual(world.told(), ["commenced urn:dev:1", "completed urn:dev:1"]);
});

test("in a storm associations linger no longer than there is room: the oldest are closed first", () => {
  const endpoints = Array.from({ length: 67 }, (_, index) => `urn:dev:${index}`);
  const world = new World({ assigned: endpoints.map((endpoint) => assignment(endpoint)) });
  const devices = endpoints.map((endpoint) => {
    const device = world.device(`id-${endpoint}`);
    begin(device, `POST /bs?ep=${endpoint}`);
    configure(device);
    device.answers("2.04");
    return device;
  });
  const closed = (): number[] => devices.flatMap((device, index) => (device.closed ? [index] : []));
  assert.deepEqual(closed(), [0, 1, 2]);
  devices[3]?.leaves();
  world.passes(5100);
  assert.equal(closed().length, 66, "all but the one that left by itself");
});

test("deletes of what is not there or protected do not fail a session", () => {
  for (const code of ["4.00", "4.04", "4.05"]) {
    const world = new World();
    const device = world.device("id-urn:dev:1");
    begin(device);
    device.hears("CON DELETE /0");
    device.answers(code);
    device.hears("CON DELETE /1");
    device.answers("5.00");
    assert.deepEqual(world.told(), ["commenced urn:dev:1", "failed urn:dev:1 request-failed"], "5.00 does");
  }
});

test("a failed Write fails the session, and the log and the balancer learn which", () => {
  /*
   *                               <--  CON PUT /0/10
   * ACK 4.04                      -->            failed request-failed
   */
  const world = new World();
  const device = world.device("id-urn:dev:1");
  begin(device);
  deletes(device);
  device.hears("CON PUT /0/10 11542");
  device.answers("4.04");
  device.hearsNothing();
  const [, failed] = world.reports;
  assert.deepEqual(
    [failed?.kind, failed?.cause, failed?.detail],
    ["failed", "request-failed", "the device answered Write /0/10 with 4.04"],
  );
  world.log.says(/info bootstrap failed .*"endpoint":"urn:dev:1".*Write \/0\/10 with 4.04/);
  assert.notEqual(world.directory.byEndpoint("urn:dev:1"), undefined, "a failed device may try again");
});

test("a Write whose format the device cannot read goes out in the next format there is, and so do those after it", () => {
  /*
   * CON POST /bs?ep=..&pct=112    -->
   *                               <--  CON PUT /0/10  (SenML CBOR)
   * ACK 4.06                      -->
   *                               <--  CON PUT /0/10  (TLV)
   * ACK 2.04                      -->
   *                               <--  CON PUT /1/10  (TLV)
   * ACK 4.06                      -->
   *                               <--  CON PUT /1/10  (SenML JSON)
   * ACK 4.06                      -->
   *                               <--  CON PUT /1/10  (LwM2M CBOR)
   * ACK 4.06                      -->            failed request-failed
   */
  for (const refusal of ["4.06", "4.15", "4.00"]) {
    const world = new World();
    const device = world.device("id-urn:dev:1");
    begin(device, "POST /bs?ep=urn:dev:1&pct=112");
    deletes(device);
    device.hears("CON PUT /0/10 112");
    device.answers(refusal);
    device.hears("CON PUT /0/10 11542");
    device.answers("2.04");
    for (const format of [11542, 110, 11544]) {
      device.hears(`CON PUT /1/10 ${format}`);
      device.answers(refusal);
    }
    device.hearsNothing();
    assert.deepEqual(world.told(), ["commenced urn:dev:1", "failed urn:dev:1 request-failed"], "there is no other format");
  }
});

test("each format has a payload of its own: that which the profile makes in it", () => {
  const world = new World();
  const written = (preference: string, refusals: number): Buffer => {
    const device = world.device("id-urn:dev:1");
    begin(device, `POST /bs?ep=urn:dev:1${preference}`);
    deletes(device);
    for (let refused = 0; refused < refusals; refused++) {
      device.heard.splice(0, device.heard.length - 1);
      const format = [112, 11542][refused];
      device.hears(`CON PUT /0/10 ${format}`);
      device.answers("4.15");
    }
    return device.heard[0]?.payload ?? Buffer.alloc(0);
  };
  assert.deepEqual(written("&pct=112", 1), written("", 0), "TLV");
  assert.deepEqual(written("&pct=112", 2), written("&pct=110", 0), "SenML JSON");
});

test("a Write that is refused for another reason is not tried in another format", () => {
  const world = new World();
  const device = world.device("id-urn:dev:1");
  begin(device, "POST /bs?ep=urn:dev:1&pct=112");
  deletes(device);
  device.hears("CON PUT /0/10 112");
  device.answers("5.00");
  device.hearsNothing();
  assert.deepEqual(world.told(), ["commenced urn:dev:1", "failed urn:dev:1 request-failed"]);
});

test("a resource is written as plain text first, and a refusal of that says nothing of the other writes", () => {
  /*
   *                               <--  CON PUT /3/0/15  (text/plain)
   * ACK 4.06                      -->
   *                               <--  CON PUT /3/0/15  (SenML JSON)
   * ACK 2.04                      -->
   *                               <--  CON PUT /3/0/14  (text/plain)
   */
  const objects = { "/3/0/15": "Europe/Berlin", "/3/0/14": "+01:00" };
  const world = new World({ profiles: { default: { ...PROFILE, resourceFormat: "plain", objects } } });
  const device = world.device("id-urn:dev:1");
  begin(device, "POST /bs?ep=urn:dev:1&pct=110");
  for (const [line, code] of [
    ["CON DELETE /0", "2.02"],
    ["CON DELETE /1", "2.02"],
    ["CON PUT /0/10 110", "2.04"],
    ["CON PUT /1/10 110", "2.04"],
    ["CON PUT /3/0/15 0", "4.06"],
    ["CON PUT /3/0/15 110", "2.04"],
    ["CON PUT /3/0/14 0", "2.04"],
    ["CON POST /bs", "2.04"],
  ] as const) {
    device.hears(line);
    device.answers(code);
  }
  assert.deepEqual(world.told(), ["commenced urn:dev:1", "completed urn:dev:1"]);
});

test("pct chooses the format of the writes", () => {
  for (const [preference, format] of [
    ["", 11542],
    ["&pct=11542", 11542],
    ["&pct=110", 110],
    ["&pct=112", 112],
    ["&pct=11544", 11544],
  ] as const) {
    const device = new World().device("id-urn:dev:1");
    begin(device, `POST /bs?ep=urn:dev:1${preference}`);
    deletes(device);
    device.hears(`CON PUT /0/10 ${format}`);
  }
});

test("a second authenticated request takes the place of the first session", () => {
  /*
   * CON POST /bs  (association 1) -->            commenced 1
   *                               <--  ACK 2.04, CON DELETE /0
   * CON POST /bs  (association 2) -->            failed 1 cancelled, commenced 2
   *                               <--  ACK 2.04, CON DELETE /0 on association 2
   * ACK 2.02      (association 1) -->            ignored
   */
  const world = new World();
  const before = world.device("id-urn:dev:1");
  begin(before);
  before.hears("CON DELETE /0");
  const after = world.device("id-urn:dev:1");
  begin(after);
  after.hears("CON DELETE /0");
  assert.deepEqual(world.told(), ["commenced urn:dev:1", "failed urn:dev:1 cancelled", "commenced urn:dev:1"]);
  before.answers("2.02");
  world.passes(900);
  before.hearsNothing();
  before.leaves();
  after.answers("2.02");
  after.hears("CON DELETE /1");
  after.answers("2.02");
  assert.deepEqual(world.told(), []);
  assert.equal(world.service.counts.sessions, 1);
});

test("a second request on the same association begins the session anew and keeps the association", () => {
  const world = new World();
  const device = world.device("id-urn:dev:1");
  begin(device);
  device.hears("CON DELETE /0");
  begin(device);
  device.hears("CON DELETE /0");
  world.passes(900);
  device.answers("2.02");
  device.hears("CON DELETE /1");
  device.answers("2.02");
  for (let second = 0; second < 6; second++) {
    world.passes(1000);
    device.heard.splice(0);
  }
  assert.equal(device.closed, false);
});

test("a Bootstrap-Request that arrives twice begins one session", () => {
  const world = new World();
  const device = world.device("id-urn:dev:1");
  const request = device.sends("POST /bs?ep=urn:dev:1");
  device.sendsAgain(request);
  device.hears("ACK 2.04");
  device.hears("CON DELETE /0");
  device.hears("ACK 2.04");
  device.hearsNothing();
  assert.deepEqual(world.told(), ["commenced urn:dev:1"]);
});

test("an association that ends, or is replaced by another handshake of the same peer, takes its session along", () => {
  const world = new World();
  const device = world.device("id-urn:dev:1");
  begin(device);
  device.leaves();
  assert.deepEqual(world.told(), ["commenced urn:dev:1", "failed urn:dev:1 connection-lost"]);
  device.heard.splice(0);
  world.passes(5000);
  device.hearsNothing();
  const anew = world.device("id-urn:dev:1");
  begin(anew);
  anew.hears("CON DELETE /0");
  assert.deepEqual(world.told(), ["commenced urn:dev:1"]);
});

test("session ids are unique and name the start of the instance", () => {
  const world = new World();
  for (let count = 0; count < 3; count++) begin(world.device("id-urn:dev:1"));
  const ids = world.reports.filter(({ kind }) => kind === "commenced").map(({ session }) => session);
  assert.deepEqual(ids, ["boot-1", "boot-2", "boot-3"]);
});
