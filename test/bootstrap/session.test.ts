import assert from "node:assert/strict";
import { test } from "node:test";
import { assignment, type LockstepDevice, World } from "./lockstep.ts";

/** Everything up to the first request. */
function begin(device: LockstepDevice, request = "POST /bs?ep=urn:dev:1"): void {
  device.sends(request);
  device.hears("ACK 2.04");
}

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

/** Answers everything up to Finish, which is heard but not answered. */
function configure(device: LockstepDevice): void {
  for (const [line, code] of [
    ["CON DELETE /0", "2.02"],
    ["CON DELETE /1", "2.02"],
    ["CON PUT /0/10 11542", "2.04"],
    ["CON PUT /1/10 11542", "2.04"],
  ] as const) {
    device.hears(line);
    device.answers(code);
  }
  device.hears("CON POST /bs");
}

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
   * ACK 4.00                      -->            failed request-failed
   */
  const world = new World();
  const device = world.device("id-urn:dev:1");
  begin(device);
  device.hears("CON DELETE /0");
  device.answers("2.02");
  device.hears("CON DELETE /1");
  device.answers("2.02");
  device.hears("CON PUT /0/10 11542");
  device.answers("4.00");
  device.hearsNothing();
  const [, failed] = world.reports;
  assert.deepEqual(
    [failed?.kind, failed?.cause, failed?.detail],
    ["failed", "request-failed", "the device answered Write /0/10 with 4.00"],
  );
  world.log.says(/info bootstrap failed .*"endpoint":"urn:dev:1".*Write \/0\/10 with 4.00/);
  assert.notEqual(world.directory.byEndpoint("urn:dev:1"), undefined, "a failed device may try again");
});

test("a Write whose format the device cannot read is sent once more in TLV, and so are those after it", () => {
  /*
   * CON POST /bs?ep=..&pct=112    -->
   *                               <--  CON PUT /0/10  (SenML CBOR)
   * ACK 4.06                      -->
   *                               <--  CON PUT /0/10  (TLV)
   * ACK 2.04                      -->
   *                               <--  CON PUT /1/10  (TLV)
   */
  for (const refusal of ["4.06", "4.15"]) {
    const world = new World();
    const device = world.device("id-urn:dev:1");
    begin(device, "POST /bs?ep=urn:dev:1&pct=112");
    device.hears("CON DELETE /0");
    device.answers("2.02");
    device.hears("CON DELETE /1");
    device.answers("2.02");
    const cbor = device.hears("CON PUT /0/10 112");
    device.answers(refusal);
    const tlv = device.hears("CON PUT /0/10 11542");
    assert.notDeepEqual(tlv.payload, cbor.payload);
    device.answers("2.04");
    device.hears("CON PUT /1/10 11542");
    device.answers(refusal);
    device.hearsNothing();
    assert.deepEqual(world.told(), ["commenced urn:dev:1", "failed urn:dev:1 request-failed"], "TLV refused is the end");
  }
});

test("the TLV a refused format is rewritten to is the TLV the profile makes", () => {
  const world = new World();
  const payloads = ["", "&pct=112"].map((preference) => {
    const device = world.device("id-urn:dev:1");
    begin(device, `POST /bs?ep=urn:dev:1${preference}`);
    for (const line of ["CON DELETE /0", "CON DELETE /1"]) {
      device.hears(line);
      device.answers("2.02");
    }
    if (preference === "") return device.hears("CON PUT /0/10 11542").payload;
    device.hears("CON PUT /0/10 112");
    device.answers("4.06");
    return device.hears("CON PUT /0/10 11542").payload;
  });
  assert.deepEqual(payloads[1], payloads[0]);
});

test("pct chooses the format of the writes", () => {
  for (const [preference, format] of [
    ["", 11542],
    ["&pct=11542", 11542],
    ["&pct=110", 110],
    ["&pct=112", 112],
  ] as const) {
    const device = new World().device("id-urn:dev:1");
    begin(device, `POST /bs?ep=urn:dev:1${preference}`);
    for (const line of ["CON DELETE /0", "CON DELETE /1"]) {
      device.hears(line);
      device.answers("2.02");
    }
    device.hears(`CON PUT /0/10 ${format}`);
  }
});

test("an unanswered request is sent again, then once more under a new message id, then the session fails", () => {
  /*
   *                               <--  CON DELETE /0 [id 1]   at 0, 1, 3, 7 s
   *                               <--  CON DELETE /0 [id 2]   the same
   *                                              failed request-failed
   */
  const world = new World();
  const device = world.device("id-urn:dev:1");
  begin(device);
  world.passes(50_000);
  const sent = device.heard.splice(0).map(({ code, messageId }) => `${code} ${messageId}`);
  const ids = new Set(sent);
  assert.equal(ids.size, 2, "two message ids");
  assert.equal(sent.length, 8, "each four times");
  assert.deepEqual(world.told(), ["commenced urn:dev:1", "failed urn:dev:1 request-failed"]);
});

test("an answer to the second message id lets the session go on", () => {
  const world = new World();
  const device = world.device("id-urn:dev:1");
  begin(device);
  const first = device.hears("CON DELETE /0");
  while (device.heard.at(-1)?.messageId === undefined || device.heard.at(-1)?.messageId === first.messageId) world.passes(500);
  device.heard.splice(0, device.heard.length - 1);
  device.hears("CON DELETE /0");
  device.answers("2.02");
  device.hears("CON DELETE /1");
});

test("Finish is repeated for as long as the session may last", () => {
  const world = new World();
  const device = world.device("id-urn:dev:1");
  begin(device);
  configure(device);
  world.passes(59_000);
  const ids = new Set(device.heard.splice(0).map(({ messageId }) => messageId));
  assert.ok(ids.size >= 3, `${ids.size} message ids`);
  assert.deepEqual(world.told(), ["commenced urn:dev:1"]);
  world.passes(1100);
  assert.deepEqual(world.told(), ["failed urn:dev:1 deadline"]);
});

test("4.06 at Finish fails the session with finish-failed", () => {
  const world = new World();
  const device = world.device("id-urn:dev:1");
  begin(device);
  configure(device);
  device.answers("4.06");
  assert.equal(world.reports[1]?.cause, "finish-failed");
  assert.equal(world.reports[1]?.detail, "the device answered Finish with 4.06");
});

test("a device that only acknowledges runs into the deadline", () => {
  const world = new World({ service: { sessionDeadline: 10_000 } });
  const device = world.device("id-urn:dev:1");
  begin(device);
  device.hears("CON DELETE /0");
  device.empties("ACK");
  world.passes(9900);
  assert.deepEqual(world.told(), ["commenced urn:dev:1"]);
  world.passes(200);
  assert.deepEqual(world.told(), ["failed urn:dev:1 deadline"]);
  device.hearsNothing();
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

test("a device that rejects a request with a Reset fails its session", () => {
  const world = new World();
  const device = world.device("id-urn:dev:1");
  begin(device);
  device.hears("CON DELETE /0");
  device.empties("RST");
  assert.equal(world.reports[1]?.detail, "Delete /0: the device rejected it with a Reset");
});

test("session ids are unique and name the start of the instance", () => {
  const world = new World();
  for (let count = 0; count < 3; count++) begin(world.device("id-urn:dev:1"));
  const ids = world.reports.filter(({ kind }) => kind === "commenced").map(({ session }) => session);
  assert.deepEqual(ids, ["boot-1", "boot-2", "boot-3"]);
});
