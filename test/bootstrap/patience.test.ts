import assert from "node:assert/strict";
import { test } from "node:test";
import { begin, configure, deletes, World } from "./lockstep.ts";

test("an unanswered request is sent again, then once more under a new message id, and after 30 s the session fails", () => {
  /*
   *                               <--  CON DELETE /0 [id 1]   at 0, 1, 3, 7 s, each gap up to half as long again
   *                               <--  CON DELETE /0 [id 2]   15 to 22 s after the first
   *                        30 s                  failed request-failed
   */
  const world = new World();
  const device = world.device("id-urn:dev:1");
  begin(device);
  world.passes(29_900);
  assert.deepEqual(world.told(), ["commenced urn:dev:1"]);
  world.passes(200);
  const sent = device.heard.splice(0).map(({ code, messageId }) => `${code} ${messageId}`);
  const ids = new Set(sent);
  assert.equal(ids.size, 2, "two message ids");
  assert.ok(sent.length >= 6, `${sent.length} datagrams`);
  assert.equal(world.reports[0]?.detail, "Delete /0: no answer");
  assert.deepEqual(world.told(), ["failed urn:dev:1 request-failed"]);
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

test("each request has 30 s of its own: a modem that is offline between two writes is waited for", () => {
  const world = new World();
  const device = world.device("id-urn:dev:1");
  begin(device);
  for (const line of ["CON DELETE /0", "CON DELETE /1"]) {
    world.passes(25_000);
    device.heard.splice(0, device.heard.length - 1);
    device.hears(line);
    device.answers("2.02");
  }
  assert.deepEqual(world.told(), ["commenced urn:dev:1"]);
  device.hears("CON PUT /0/10 11542");
});

test("a device that only acknowledges has 30 s to answer", () => {
  const world = new World();
  const device = world.device("id-urn:dev:1");
  begin(device);
  device.hears("CON DELETE /0");
  device.empties("ACK");
  world.passes(29_900);
  device.hearsNothing();
  assert.deepEqual(world.told(), ["commenced urn:dev:1"]);
  world.passes(200);
  device.hearsNothing();
  assert.deepEqual(world.told(), ["failed urn:dev:1 request-failed"]);
});

test("a request in another format is another request, with two tries and 30 s of its own", () => {
  const world = new World();
  const device = world.device("id-urn:dev:1");
  begin(device, "POST /bs?ep=urn:dev:1&pct=112");
  deletes(device);
  const first = device.hears("CON PUT /0/10 112");
  while (device.heard.at(-1)?.messageId === undefined || device.heard.at(-1)?.messageId === first.messageId) world.passes(500);
  device.heard.splice(0, device.heard.length - 1);
  device.hears("CON PUT /0/10 112");
  device.answers("4.06");
  world.passes(29_000);
  const ids = new Set(device.heard.splice(0).map(({ messageId }) => messageId));
  assert.equal(ids.size, 2);
  assert.deepEqual(world.told(), ["commenced urn:dev:1"]);
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

test("the session has a deadline of its own, however the time was spent", () => {
  const world = new World({ service: { sessionDeadline: 10_000 } });
  const device = world.device("id-urn:dev:1");
  begin(device);
  device.hears("CON DELETE /0");
  world.passes(6000);
  device.answers("2.02");
  world.passes(3900);
  assert.deepEqual(world.told(), ["commenced urn:dev:1"]);
  world.passes(200);
  assert.equal(world.reports[0]?.detail, "no end by Delete /1");
  assert.deepEqual(world.told(), ["failed urn:dev:1 deadline"]);
  device.heard.splice(0);
  world.passes(30_000);
  device.hearsNothing();
});

test("a device that rejects a request with a Reset fails its session", () => {
  const world = new World();
  const device = world.device("id-urn:dev:1");
  begin(device);
  device.hears("CON DELETE /0");
  device.empties("RST");
  assert.equal(world.reports[1]?.detail, "Delete /0: the device rejected it with a Reset");
});
