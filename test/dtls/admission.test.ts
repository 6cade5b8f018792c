import assert from "node:assert/strict";
import { test } from "node:test";
import { World } from "./harness.ts";

test("a ClientHello that is not admitted gets no answer, is counted, and finds room later", () => {
  let room = false;
  const world = new World({ admits: () => room });
  const client = world.connected(1);
  world.pass(1_500);
  assert.equal(world.sentBy("server").length, 0);
  assert.deepEqual(world.server.stats.refused, { "not-admitted": 2 });
  assert.equal(world.server.stats.cookiesSent, 0);
  room = true;
  world.pass(2_000);
  assert.deepEqual(client.log, ["secured"]);
  world.free();
});

test("a proven ClientHello is asked for once, and counts as lost if it is not admitted", () => {
  const asked: number[] = [];
  const answers = [false, true];
  const world = new World({
    admit: (now) => {
      asked.push(now);
      return answers.shift() ?? true;
    },
  });
  const start = world.clock.now();
  const client = world.connected(1);
  assert.equal(world.sentBy("server").length, 1, "the cookie alone");
  assert.equal(world.server.stats.associations, 0);
  assert.deepEqual(world.log, ["refused not-admitted"]);
  // Its answer is lost and the ClientHello comes again, twice: that is the same handshake.
  world.network = (_datagram, from, index) => ({ copies: from === "server" && index < 3 ? 0 : 1 });
  world.pass(10_000);
  assert.deepEqual(client.log, ["secured"]);
  assert.deepEqual(asked, [start, start + 1_000]);
  world.free();
});

test("associations are untouched when nobody else is admitted, and are not replaced either", () => {
  let room = true;
  const world = new World({ admit: () => room });
  const old = world.connected(1);
  room = false;
  const again = world.connected(1);
  old.dtls.send(Buffer.from("still here"), world.clock.now());
  world.echo = false;
  world.run();
  assert.deepEqual(again.log, []);
  assert.deepEqual(world.log, ["secured device-1", "refused not-admitted", "message still here"]);
  world.free();
});

test("no room at all comes before the budget, which is not spent", () => {
  let asked = 0;
  const world = new World({ maxAssociations: 1, admit: () => ++asked > 0 });
  world.connected(1);
  world.connected(2);
  assert.equal(asked, 1);
  assert.deepEqual(world.log, ["secured device-1", "refused too-many-associations"]);
  world.free();
});
