import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { credential, KEY, PSK_SUITES, World } from "./harness.ts";

describe("a handshake", () => {
  for (const suite of PSK_SUITES) {
    test(`with ${suite} carries messages both ways`, () => {
      const world = new World();
      const client = world.connected(1, { cipherSuites: [suite] });
      client.dtls.send(Buffer.from("ping"), world.clock.now());
      world.run();
      assert.deepEqual(world.log, ["secured device-1", "message ping"]);
      assert.deepEqual(client.log, ["secured", "message ping"]);
      assert.equal(world.associations[0]?.cipherSuite, suite);
      assert.equal(client.dtls.cipherSuite, suite);
      world.free();
    });
  }

  test("takes the suite the server wants most", () => {
    const world = new World({ cipherSuites: ["TLS_PSK_WITH_AES_128_CBC_SHA256", "TLS_PSK_WITH_AES_128_CCM_8"] });
    const client = world.connected(1, { cipherSuites: ["TLS_PSK_WITH_AES_128_CCM_8", "TLS_PSK_WITH_AES_128_CBC_SHA256"] });
    assert.equal(client.dtls.cipherSuite, "TLS_PSK_WITH_AES_128_CBC_SHA256");
    world.free();
  });

  test("without a common suite ends with an alert", () => {
    const world = new World({ cipherSuites: ["TLS_PSK_WITH_AES_128_GCM_SHA256"] });
    const client = world.connected(1, { cipherSuites: ["TLS_PSK_WITH_AES_128_CCM_8"] });
    assert.deepEqual(world.log, ["closed no-shared-cipher"]);
    assert.deepEqual(client.log, ["closed alert"]);
    assert.deepEqual(world.server.stats.handshakesFailed, { "no-shared-cipher": 1 });
    world.free();
  });

  test("shows the server_name, lower case, before the key is looked up and afterwards", () => {
    const asked: (string | undefined)[] = [];
    const world = new World({
      lookupPsk: (_identity, hello) => {
        asked.push(hello.serverName);
        return KEY;
      },
    });
    world.connected(1, { serverName: "BS486.Example.com" });
    world.connected(2);
    world.connected(3, { serverName: "127.0.0.1" });
    assert.deepEqual(asked, ["bs486.example.com", undefined, undefined]);
    assert.equal(world.associations[0]?.serverName, "bs486.example.com");
    world.free();
  });

  for (const minor of [0x00, 0xff, 0xfd]) {
    test(`begins with a ClientHello in a record of version 0xfe${minor.toString(16).padStart(2, "0")}`, () => {
      const world = new World();
      world.network = (datagram, from) => {
        if (from === "client" && datagram[13] === 1) datagram[2] = minor;
        return { copies: 1 };
      };
      world.connected(1);
      assert.deepEqual(world.log, ["secured device-1"]);
      world.free();
    });
  }

  test("with DTLS 1.0 only is refused", () => {
    const world = new World();
    world.network = (datagram, from) => {
      if (from === "client" && datagram[13] === 1) datagram.writeUInt16BE(0xfeff, 25);
      return { copies: 1 };
    };
    const client = world.connected(1);
    assert.deepEqual(world.log, ["refused unsupported-version"]);
    assert.deepEqual(client.log, []);
    world.free();
  });

  test("uses datagrams no longer than the MTU", () => {
    const world = new World({ mtu: 256 });
    const client = world.connected(1, { mtu: 256, cipherSuites: PSK_SUITES });
    assert.deepEqual(client.log, ["secured"]);
    assert.ok(world.wire.every(({ datagram }) => datagram.length <= 256));
    world.free();
  });

  test("in fragments, the identity among them, is put together in any order", () => {
    const identity = Buffer.alloc(200, "x");
    const world = new World();
    world.network = (_datagram, from, index) => (from === "client" && index === 2 ? { copies: 1, after: 3 } : { copies: 1 });
    const client = world.connected(1, {
      mtu: 256,
      credential: credential(identity),
      cipherSuites: ["TLS_ECDHE_PSK_WITH_AES_128_CBC_SHA256"],
    });
    const keyExchange = world.sentBy("client").slice(2);
    assert.ok(keyExchange.length >= 2, "the client's flight takes more than one datagram");
    // The ChangeCipherSpec that came with the last fragment was too early for OpenSSL: the next one is not.
    world.pass(1_000);
    assert.deepEqual(client.log, ["secured"]);
    assert.deepEqual(world.log, [`secured ${identity}`]);
    world.free();
  });

  for (const apart of [
    [0, 1, 2],
    [0, 2, 1],
    [1, 0, 2],
    [1, 2, 0],
    [2, 0, 1],
    [2, 1, 0],
  ]) {
    test(`whose last flight comes record by record in the order ${apart.join(" ")} is complete without a retransmission`, () => {
      const world = new World();
      world.network = (_datagram, from, index) => (from === "client" && index === 2 ? { copies: 1, apart } : { copies: 1 });
      const client = world.connected(1);
      assert.deepEqual(world.log, ["secured device-1"]);
      assert.deepEqual(client.log, ["secured"]);
      world.free();
    });
  }

  test("is complete although encrypted noise was there first, little of which is kept", () => {
    const world = new World();
    world.network = (_datagram, from, index) => ({ copies: from === "client" && index === 2 ? 0 : 1 });
    const client = world.connected(1);
    const noise = Buffer.concat([Buffer.from("16fefd000100000000000000640", "hex"), Buffer.alloc(101)]);
    noise.writeUInt16BE(noise.length - 13, 11);
    for (let i = 0; i < 1_000; i++) world.server.receive(client.peer, noise, world.clock.now());
    assert.equal(world.server.stats.overflowed, 998);
    world.pass(1_000);
    assert.deepEqual(client.log, ["secured"]);
    world.free();
  });

  test("of many clients at once keeps them apart", () => {
    const world = new World({ lookupPsk: (identity) => Buffer.alloc(16, identity.at(-1)) });
    const clients = Array.from({ length: 50 }, (_, port) =>
      world.client(port, { credential: credential(`device-${port}`, Buffer.alloc(16, `${port % 10}`)) }),
    );
    for (const { dtls } of clients) dtls.connect(world.clock.now());
    world.run();
    for (const { dtls, peer } of clients) dtls.send(Buffer.from(`I am ${peer.port}`), world.clock.now());
    world.run();
    for (const { log, peer } of clients) assert.deepEqual(log, ["secured", `message I am ${peer.port}`]);
    world.free();
  });
});

describe("the key", () => {
  test("may come later; datagrams wait for it, and the client's repetitions do no harm", async () => {
    let answer: (psk: Uint8Array) => void = () => {};
    let asked = 0;
    const world = new World({
      lookupPsk: () => {
        asked++;
        return new Promise((resolve) => {
          answer = resolve;
        });
      },
    });
    const client = world.connected(1);
    world.pass(7_500);
    assert.deepEqual(world.log, []);
    answer(KEY);
    await Promise.resolve();
    world.run();
    assert.equal(asked, 1);
    assert.deepEqual(world.log, ["secured device-1"]);
    assert.deepEqual(client.log, ["secured"]);
    client.dtls.send(Buffer.from("ping"), world.clock.now());
    world.run();
    assert.deepEqual(client.log, ["secured", "message ping"]);
    world.free();
  });

  test("that never comes leaves a bounded queue, and the handshake times out", () => {
    const world = new World({ lookupPsk: () => new Promise(() => {}) });
    const client = world.connected(1);
    const flight = world.sentBy("client").slice(2);
    for (let i = 0; i < 20; i++) for (const datagram of flight) world.server.receive(client.peer, datagram, world.clock.now());
    assert.equal(world.server.stats.overflowed, 20 * flight.length + flight.length - 8);
    world.pass(60_000);
    assert.deepEqual(world.log, ["closed device-1 handshake-timeout"]);
    assert.deepEqual(client.log, ["closed handshake-timeout"]);
    world.free();
  });

  test("that comes when the association is gone is not used", async () => {
    let answer: (psk: Uint8Array) => void = () => {};
    const world = new World({
      lookupPsk: () =>
        new Promise((resolve) => {
          answer = resolve;
        }),
    });
    world.connected(1);
    world.pass(60_000);
    answer(KEY);
    await Promise.resolve();
    assert.deepEqual(world.log, ["closed device-1 handshake-timeout"]);
    world.free();
  });

  test("of an unknown identity: no answer, no association, a reason", () => {
    const world = new World({ lookupPsk: () => undefined });
    const client = world.connected(1);
    assert.deepEqual(world.log, ["closed device-1 unknown-identity"]);
    assert.equal(world.sentBy("server").length, 2, "the cookie and the ServerHello, nothing after ClientKeyExchange");
    assert.equal(world.server.stats.associations, 0);
    assert.deepEqual(client.log, []);
    world.free();
  });

  test("that cannot be looked up ends the association", async () => {
    const world = new World({ lookupPsk: () => Promise.reject(new Error("store away")) });
    world.connected(1);
    await new Promise(setImmediate);
    assert.deepEqual(world.log, ["closed device-1 lookup-failed"]);
    world.free();
  });

  test("of an impossible length ends the association", () => {
    const world = new World({ lookupPsk: () => new Uint8Array(0) });
    world.connected(1);
    assert.deepEqual(world.log, ["closed device-1 lookup-failed"]);
    world.free();
  });

  for (const suite of PSK_SUITES) {
    test(`that is wrong gets the client nowhere, and the reason says so (${suite})`, () => {
      const world = new World();
      const client = world.connected(1, { credential: credential("device-1", Buffer.alloc(16, 9)), cipherSuites: [suite] });
      world.pass(5_000);
      assert.deepEqual(world.log.at(0), "closed device-1 wrong-key");
      assert.equal(world.server.stats.associations, 0);
      assert.deepEqual(world.server.stats.handshakesFailed, { "wrong-key": 1 });
      world.pass(60_000);
      assert.deepEqual(client.log, ["closed handshake-timeout"]);
      world.free();
    });
  }

  test("that is right wins although a stranger's Finished came first", () => {
    const world = new World();
    world.network = (datagram, from, index) => {
      const spoiled = from === "client" && index === 2;
      if (spoiled) datagram[datagram.length - 1] = (datagram.at(-1) ?? 0) ^ 1;
      return { copies: 1 };
    };
    const client = world.connected(1);
    assert.deepEqual(world.log, []);
    world.pass(2_000);
    assert.deepEqual(world.log, ["secured device-1"]);
    assert.deepEqual(client.log, ["secured"]);
    world.free();
  });

  test("of 256 bytes works, and of 257 is refused", () => {
    const psk = Buffer.alloc(256, 5);
    const world = new World({ lookupPsk: () => psk });
    assert.deepEqual(world.connected(1, { credential: credential("device-1", psk) }).log, ["secured"]);
    assert.throws(() => world.client(2, { credential: credential("device-2", Buffer.alloc(257)) }), { code: "invalid-input" });
    world.free();
  });
});

describe("options out of range", () => {
  test("are refused when the server or client is made", () => {
    assert.throws(() => new World({ cookieSecret: Buffer.alloc(31) }), { code: "invalid-input" });
    assert.throws(() => new World({ mtu: 100 }), { code: "invalid-input" });
    assert.throws(() => new World({ cipherSuites: [] }), { code: "invalid-input" });
    const world = new World();
    assert.throws(() => world.client(1, { credential: credential("a\0b") }), { code: "invalid-input" });
    assert.throws(() => world.client(1, { credential: credential("device-1", new Uint8Array(0)) }), { code: "invalid-input" });
    world.free();
  });
});
