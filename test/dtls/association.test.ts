import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { seededRandom } from "../../src/lib/random.ts";
import { firstHello, peerAt, World } from "./harness.ts";

describe("an association", () => {
  test("ends with close_notify from the client, which is answered", () => {
    const world = new World();
    const client = world.connected(1);
    const before = world.sentBy("server").length;
    client.dtls.close(world.clock.now());
    world.run();
    assert.deepEqual(client.log, ["secured", "closed closed"]);
    assert.deepEqual(world.log, ["secured device-1", "closed device-1 closed-by-peer"]);
    assert.equal(world.sentBy("server").length, before + 1);
    world.free();
  });

  test("ends with close_notify from the server, which is answered", () => {
    const world = new World();
    const client = world.connected(1);
    const [association] = world.associations;
    assert.ok(association);
    world.server.close(association, world.clock.now());
    assert.equal(association.state, "closed");
    assert.equal(association.send(Buffer.from("late"), world.clock.now()), false);
    world.run();
    assert.deepEqual(world.log, ["secured device-1", "closed device-1 closed", "refused no-association"]);
    assert.deepEqual(client.log, ["secured", "closed closed-by-peer"]);
    world.free();
  });

  test("may be closed from within its own message", () => {
    const world = new World();
    world.echo = false;
    const client = world.connected(1);
    const [association] = world.associations;
    assert.ok(association);
    client.dtls.send(Buffer.from("one"), world.clock.now());
    client.dtls.send(Buffer.from("two"), world.clock.now());
    world.log.push = (...lines: string[]): number => {
      Array.prototype.push.apply(world.log, lines);
      if (lines[0] === "message one") world.server.close(association, world.clock.now());
      return world.log.length;
    };
    world.run();
    assert.deepEqual(world.log.slice(0, 4), [
      "secured device-1",
      "message one",
      "closed device-1 closed",
      "refused no-association",
    ]);
    world.free();
  });

  test("that is silent for the idle timeout is closed, and one that is not stays", () => {
    const world = new World({ idleTimeout: 10_000 });
    world.connected(1);
    const busy = world.connected(2);
    world.pass(6_000);
    busy.dtls.send(Buffer.from("here"), world.clock.now());
    world.pass(5_000);
    const echoed = ["refused no-association"];
    assert.deepEqual(world.log, ["secured device-1", "secured device-2", "message here", "closed device-1 idle"].concat(echoed));
    world.pass(6_000);
    assert.equal(world.server.stats.associations, 0);
    assert.equal(world.server.nextDeadline(), undefined);
    world.free();
  });

  test("ends at its own time, however many there are", () => {
    const random = seededRandom(5);
    const world = new World({ idleTimeout: 10_000 });
    const expected: number[] = [];
    for (let port = 0; port < 100; port++) {
      world.connected(port);
      expected.push(world.clock.now() + 10_000);
      world.pass(Math.floor(random.uniform() * 90));
      if (port % 3 !== 2) continue;
      // One that goes early makes a hole in the queue.
      world.clients.get(peerAt(port - 1).key)?.dtls.close(world.clock.now());
      world.run();
      expected.splice(-2, 1);
    }
    const ended: number[] = [];
    for (let due = world.server.nextDeadline(); due !== undefined; due = world.server.nextDeadline()) {
      const before = world.server.stats.associations;
      world.server.tick(due);
      for (let i = world.server.stats.associations; i < before; i++) ended.push(due);
    }
    assert.deepEqual(ended, expected);
    world.free();
  });

  test("is refused when there are as many as may be", () => {
    const world = new World({ maxAssociations: 2 });
    world.connected(1);
    world.connected(2);
    const third = world.connected(3);
    assert.deepEqual(world.log.slice(2), ["refused too-many-associations"]);
    world.clients.get(peerAt(1).key)?.dtls.close(world.clock.now());
    world.pass(1_000);
    assert.deepEqual(third.log, ["secured"], "its next ClientHello finds room");
    world.free();
  });

  test("carries records of 1 to 16384 bytes and no others", () => {
    const world = new World();
    const client = world.connected(1);
    const now = world.clock.now();
    const big = Buffer.alloc(16_384, "a");
    assert.equal(client.dtls.send(big, now), true);
    world.run();
    assert.equal(client.log.at(-1), `message ${big}`);
    assert.equal(client.dtls.send(Buffer.alloc(16_385), now), false);
    assert.equal(client.dtls.send(Buffer.alloc(0), now), false);
    world.free();
  });

  test("ends when the server is freed, which is deaf afterwards", () => {
    const world = new World();
    const client = world.connected(1);
    world.server.free();
    world.run();
    assert.deepEqual(world.log, ["secured device-1", "closed device-1 freed"]);
    assert.deepEqual(client.log, ["secured", "closed closed-by-peer"]);
    world.server.receive(peerAt(2), firstHello(), world.clock.now());
    world.server.free();
    assert.equal(world.sentBy("server").length, 4);
    world.free();
  });
});
