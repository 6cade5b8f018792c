import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createSecureContext } from "node:tls";
import { type Random, seededRandom } from "../../src/lib/random.ts";
import { PSK_SUITES, peerAt, strangeRecords, World } from "./harness.ts";

/** Ways to spoil a datagram. */
const SPOILERS: readonly ((datagram: Buffer, random: Random) => Buffer)[] = [
  function cut(datagram, random) {
    return datagram.subarray(0, Math.floor(random.uniform() * datagram.length));
  },
  function flip(datagram, random) {
    const at = Math.floor(random.uniform() * datagram.length);
    datagram[at] = (datagram[at] ?? 0) ^ (1 << Math.floor(random.uniform() * 8));
    return datagram;
  },
  function scribble(datagram, random) {
    const at = Math.floor(random.uniform() * datagram.length);
    datagram.set(random.bytes(Math.min(8, datagram.length - at)), at);
    return datagram;
  },
  function grow(datagram, random) {
    return Buffer.concat([datagram, random.bytes(Math.floor(random.uniform() * 40))]);
  },
  function wrongEpoch(datagram) {
    if (datagram.length >= 5) datagram.writeUInt16BE(datagram.readUInt16BE(3) + 1, 3);
    return datagram;
  },
  function headOnly(datagram, random) {
    return Buffer.concat([datagram.subarray(0, 13), random.bytes(Math.floor(random.uniform() * 100))]);
  },
];

function spoil(datagram: Buffer, random: Random): Buffer {
  const spoiler = SPOILERS[Math.floor(random.uniform() * SPOILERS.length)];
  return spoiler?.(Buffer.from(datagram), random) ?? datagram;
}

describe("hostile datagrams", () => {
  test("that are noise, empty, or huge are turned away", () => {
    const random = seededRandom(1);
    const world = new World();
    const now = world.clock.now();
    for (let i = 0; i < 5_000; i++) world.server.receive(peerAt(i), random.bytes(Math.floor(random.uniform() * 100)), now);
    world.server.receive(peerAt(1), new Uint8Array(0), now);
    world.server.receive(peerAt(1), new Uint8Array(65_507).fill(22), now);
    assert.equal(world.server.stats.associations, 0);
    assert.equal(world.log.length, 5_002);
    world.free();
  });

  test("spoiled copies of every datagram of a handshake crash neither side, and others go on", () => {
    const random = seededRandom(2);
    let world = new World();
    for (let round = 0; round < 1_500; round++) {
      if (round % 300 === 0) {
        world.free();
        world = new World();
        world.connected(1);
      }
      const target = Math.floor(random.uniform() * 4);
      world.network = (datagram, from, index) => {
        if (random.uniform() < 0.3 || index === target) {
          const spoiled = spoil(datagram, random);
          const receiver = from === "client" ? world.server.receive.bind(world.server, peerAt(100 + round)) : undefined;
          receiver?.(spoiled, world.clock.now());
          world.clients.get(peerAt(100 + round).key)?.dtls.receive(spoil(datagram, random), world.clock.now());
        }
        return { copies: 1 };
      };
      const client = world.connected(100 + round);
      client.dtls.send(Buffer.from("hello"), world.clock.now());
      world.run();
      client.dtls.close(world.clock.now());
      world.run();
      world.clients.delete(client.peer.key);
    }
    world.network = () => ({ copies: 1 });
    world.log.length = 0;
    const witness = world.clients.get(peerAt(1).key);
    witness?.dtls.send(Buffer.from("I saw it all"), world.clock.now());
    world.run();
    assert.deepEqual(world.log, ["message I saw it all"]);
    world.free();
  });

  test("on a secured association do not end it, whatever the suite", () => {
    for (const suite of ["TLS_PSK_WITH_AES_128_CCM_8", "TLS_PSK_WITH_AES_128_CBC_SHA256"] as const) {
      const random = seededRandom(3);
      const world = new World();
      const client = world.connected(1, { cipherSuites: [suite] });
      world.network = (datagram, from) => {
        for (let i = 0; i < 20; i++) {
          const spoiled = spoil(datagram, random);
          if (from === "client") world.server.receive(client.peer, spoiled, world.clock.now());
          else client.dtls.receive(spoiled, world.clock.now());
        }
        return { copies: 1 };
      };
      for (const datagram of [...world.sentBy("client"), ...world.sentBy("server")]) {
        for (let i = 0; i < 50; i++) world.server.receive(client.peer, spoil(datagram, random), world.clock.now());
      }
      const replies: string[] = [];
      for (let i = 0; i < 50; i++) {
        client.dtls.send(Buffer.from(`${i}`), world.clock.now());
        world.run();
        replies.push(`${client.log.at(-1)}`);
      }
      assert.equal(client.dtls.state, "secured");
      assert.equal(world.associations[0]?.state, "secured");
      assert.ok(replies.includes("message 49"), suite);
      world.free();
    }
  });

  test("of every type, epoch and length do not end a secured association, or a handshake that waits for Finished", () => {
    for (const suite of PSK_SUITES) {
      const random = seededRandom(4);
      const world = new World();
      const secured = world.connected(1, { cipherSuites: [suite] });
      world.network = (_datagram, from, index) => ({ copies: from === "client" && index % 3 === 2 ? 0 : 1 });
      const waiting = world.connected(2, { cipherSuites: [suite] });
      world.network = () => ({ copies: 1 });
      for (const record of strangeRecords(random)) {
        for (const { peer, dtls } of [secured, waiting]) {
          world.server.receive(peer, record, world.clock.now());
          dtls.receive(record, world.clock.now());
        }
      }
      world.pass(10_000);
      secured.dtls.send(Buffer.from("still here"), world.clock.now());
      world.run();
      assert.deepEqual([...secured.log, ...waiting.log], ["secured", "message still here", "secured"], suite);
      world.free();
    }
  });

  test("leave nothing in OpenSSL's error queue, which node:tls shares", () => {
    const world = new World();
    const client = world.connected(1);
    world.network = (datagram) => {
      datagram[20] = (datagram[20] ?? 0) ^ 1;
      return { copies: 1 };
    };
    client.dtls.send(Buffer.from("spoiled"), world.clock.now());
    const broken = world.connected(2);
    broken.dtls.close(world.clock.now());
    // Fails with whatever error is oldest in the queue: it must be its own.
    assert.throws(() => createSecureContext({ ciphers: "no-such-cipher" }), { code: "ERR_SSL_NO_CIPHER_MATCH" });
    world.free();
  });

  test("that replay a record deliver it once", () => {
    const world = new World();
    world.echo = false;
    const client = world.connected(1);
    client.dtls.send(Buffer.from("once"), world.clock.now());
    world.run();
    const record = world.sentBy("client").at(-1);
    assert.ok(record);
    for (let i = 0; i < 5; i++) world.server.receive(client.peer, record, world.clock.now());
    assert.deepEqual(world.log, ["secured device-1", "message once"]);
    world.free();
  });

  test("with several records are delivered record by record, without the bad one", () => {
    const world = new World();
    world.echo = false;
    const client = world.connected(1);
    world.network = () => ({ copies: 0 });
    for (const text of ["one", "two", "three"]) client.dtls.send(Buffer.from(text), world.clock.now());
    const [one, two, three] = world.sentBy("client").slice(-3);
    assert.ok(one && two && three);
    two[two.length - 1] = (two.at(-1) ?? 0) ^ 1;
    world.server.receive(client.peer, Buffer.concat([one, two, three]), world.clock.now());
    assert.deepEqual(world.log, ["secured device-1", "message one", "message three"]);
    world.free();
  });
});
