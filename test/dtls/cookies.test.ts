import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type DtlsClientOptions, DtlsServer, loadOpenSsl } from "../../src/dtls/index.ts";
import { credential, firstHello, KEY, peerAt, START, World } from "./harness.ts";

/** Where the cookie's length stands in a HelloVerifyRequest, and in a ClientHello without a session id. */
const COOKIE_IN_REQUEST = 27;
const COOKIE_IN_HELLO = 60;

/** The smallest ClientHello there is: one suite, no extensions. */
function smallestHello(): Buffer {
  const hello = Buffer.alloc(67);
  hello.set([22, 0xfe, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 54, 1, 0, 0, 42, 0, 0, 0, 0, 0, 0, 0, 42, 0xfe, 0xfd]);
  hello.set([0, 0, 0, 2, 0xc0, 0xa8, 1, 0], 59);
  return hello;
}

/** The second ClientHello, which brings back the cookie of `answer`. */
function helloWithCookie(hello: Buffer, answer: Buffer): Buffer {
  const cookie = answer.subarray(COOKIE_IN_REQUEST + 1);
  const second = Buffer.concat([
    hello.subarray(0, COOKIE_IN_HELLO),
    Uint8Array.of(cookie.length),
    cookie,
    hello.subarray(COOKIE_IN_HELLO + 1),
  ]);
  second.writeUInt16BE(second.length - 13, 11);
  second.writeUIntBE(second.length - 25, 14, 3);
  second.writeUIntBE(second.length - 25, 22, 3);
  second[10] = 1; // record sequence number
  second[18] = 1; // message_seq
  return second;
}

/** A server that only writes down what it does. */
function quietServer(): { server: DtlsServer; sent: Buffer[]; log: string[] } {
  const sent: Buffer[] = [];
  const log: string[] = [];
  const server = new DtlsServer(
    loadOpenSsl(),
    { cookieSecret: Buffer.alloc(32, 1), lookupPsk: () => KEY },
    {
      send: (_peer, datagram) => sent.push(Buffer.from(datagram)),
      secured: () => log.push("secured"),
      message: () => log.push("message"),
      closed: (_association, reason) => log.push(`closed ${reason}`),
      refused: (_peer, reason) => log.push(`refused ${reason}`),
    },
  );
  return { server, sent, log };
}

describe("a ClientHello without a cookie", () => {
  const shapes: [string, Buffer][] = [
    ["the smallest there is", smallestHello()],
    ["with SNI", firstHello({ serverName: "bs486.example.com" })],
  ];
  for (const [what, hello] of shapes) {
    test(`(${what}) gets a HelloVerifyRequest that is not longer, and leaves nothing behind`, () => {
      const { server, sent } = quietServer();
      hello.writeUIntBE(0x0102_0304_0506, 5, 6);
      server.receive(peerAt(1), hello, START);
      const [answer] = sent;
      assert.ok(answer);
      assert.ok(answer.length <= hello.length, `${answer.length} bytes for ${hello.length}`);
      assert.equal(
        answer.subarray(0, 11).toString("hex"),
        "16feff0000010203040506",
        "version 0xFEFF, the record's number echoed",
      );
      assert.equal(answer.readUInt16BE(11), answer.length - 13);
      assert.equal(
        answer.subarray(13, 27).toString("hex"),
        "0300001300000000000000" + "13feff",
        "HelloVerifyRequest, message_seq 0",
      );
      assert.equal(answer[COOKIE_IN_REQUEST], answer.length - COOKIE_IN_REQUEST - 1);
      assert.equal(server.stats.associations, 0);
      assert.equal(server.stats.cookiesSent, 1);
      assert.equal(server.nextDeadline(), undefined);
      server.free();
    });
  }

  test("gets the same answer each time, as nothing is remembered", () => {
    const { server, sent } = quietServer();
    const hello = firstHello();
    for (let i = 0; i < 3; i++) server.receive(peerAt(1), hello, START + i);
    assert.deepEqual(sent[1], sent[0]);
    assert.deepEqual(sent[2], sent[0]);
    server.free();
  });

  test("in fragments, or cut anywhere, gets no answer", () => {
    const { server, sent, log } = quietServer();
    const hello = firstHello();
    const fragment = Buffer.from(hello.subarray(0, 60));
    fragment.writeUInt16BE(60 - 13, 11);
    fragment.writeUIntBE(60 - 25, 22, 3);
    server.receive(peerAt(1), fragment, START);
    for (let length = 0; length < hello.length; length++) server.receive(peerAt(1), hello.subarray(0, length), START);
    assert.deepEqual(sent, []);
    assert.equal(log.length, hello.length + 1);
    server.free();
  });

  test("from 20,000 made-up ports keeps memory flat", () => {
    const { server, sent } = quietServer();
    const hello = firstHello();
    const flood = (): void => {
      for (let port = 0; port < 20_000; port++) server.receive(peerAt(port), hello, START);
      sent.length = 0;
    };
    flood();
    global.gc?.();
    const before = process.memoryUsage.rss();
    for (let round = 0; round < 4; round++) flood();
    global.gc?.();
    const grown = (process.memoryUsage.rss() - before) / 2 ** 20;
    assert.equal(server.stats.associations, 0);
    assert.equal(server.stats.cookiesSent, 100_000);
    // 80,000 associations would take gigabytes; what is left here is the collector's slack.
    assert.ok(grown < 40, `grew by ${grown.toFixed(1)} MB`);
    server.free();
  });
});

describe("a cookie", () => {
  /** What the server does with a cookie it made for port 1 at START when it comes back like this. */
  function comesBack(port: number, after: number, change: (hello: Buffer) => void = () => {}): "proven" | "asked again" {
    const { server, sent } = quietServer();
    const hello = firstHello();
    server.receive(peerAt(1), hello, START);
    const [answer] = sent;
    assert.ok(answer);
    const second = helloWithCookie(hello, answer);
    change(second);
    server.receive(peerAt(port), second, START + after);
    const proven = server.stats.associations === 1;
    assert.equal(server.stats.cookiesSent, proven ? 1 : 2);
    server.free();
    return proven ? "proven" : "asked again";
  }

  test("opens the door for two to four minutes", () => {
    assert.equal(comesBack(1, 0), "proven");
    assert.equal(comesBack(1, 120_000), "proven");
    assert.equal(comesBack(1, 240_000), "asked again");
  });

  test("counts in the second ClientHello of a datagram too, as a client sends them that was held up", () => {
    const { server, sent } = quietServer();
    const hello = firstHello();
    server.receive(peerAt(1), hello, START);
    const [answer] = sent;
    assert.ok(answer);
    server.receive(peerAt(1), Buffer.concat([hello, helloWithCookie(hello, answer)]), START);
    assert.equal(server.stats.associations, 1);
    server.receive(peerAt(2), Buffer.concat([hello, hello, hello]), START);
    assert.equal(server.stats.cookiesSent, 2);
    server.free();
  });

  test("is good for its own port only", () => assert.equal(comesBack(2, 0), "asked again"));

  test("is good for its own hello only", () => {
    const change = (at: number) => (hello: Buffer) => {
      hello[at] = (hello[at] ?? 0) ^ 1;
    };
    assert.equal(comesBack(1, 0, change(30)), "asked again", "random");
    assert.equal(comesBack(1, 0, change(COOKIE_IN_HELLO + 1)), "asked again", "the cookie itself");
    assert.equal(comesBack(1, 0, change(COOKIE_IN_HELLO + 1 + 16 + 3)), "asked again", "cipher suites");
  });

  test("of another server is not taken", () => {
    const world = new World();
    const other = new World({ cookieSecret: Buffer.alloc(32, 8) });
    const hello = firstHello();
    other.server.receive(peerAt(1), hello, START);
    const [answer] = other.sentBy("server");
    assert.ok(answer);
    world.server.receive(peerAt(1), helloWithCookie(hello, answer), START);
    assert.equal(world.server.stats.associations, 0);
    world.free();
    other.free();
  });
});

describe("a ClientHello from a live address and port (RFC 6347 section 4.2.8)", () => {
  const again: Partial<DtlsClientOptions> = { credential: credential("reborn") };

  test("does not touch the association until its cookie is proven", () => {
    const world = new World();
    const client = world.connected(1);
    world.server.receive(client.peer, firstHello(again), world.clock.now());
    client.dtls.send(Buffer.from("still here"), world.clock.now());
    world.run();
    assert.deepEqual(client.log, ["secured", "message still here"]);
    assert.equal(world.server.stats.associations, 1);
    world.free();
  });

  test("replaces it then, without a word to the old one", () => {
    const world = new World();
    const old = world.connected(1);
    const sentBefore = world.sentBy("server").length;
    const reborn = world.connected(1, again);
    assert.deepEqual(world.log, ["secured device-1", "closed device-1 replaced", "secured reborn"]);
    assert.deepEqual(reborn.log, ["secured"]);
    assert.equal(world.sentBy("server").length, sentBefore + 3);
    assert.equal(world.server.stats.associations, 1);
    reborn.dtls.send(Buffer.from("hello"), world.clock.now());
    world.run();
    assert.deepEqual(reborn.log, ["secured", "message hello"]);
    old.dtls.close(world.clock.now());
    world.free();
  });

  test("replaces a handshake that is under way, too", () => {
    const world = new World({ lookupPsk: (identity) => (`${Buffer.from(identity)}` === "reborn" ? KEY : new Promise(() => {})) });
    const old = world.connected(1);
    const reborn = world.connected(1, again);
    assert.deepEqual(world.log, ["closed device-1 replaced", "secured reborn"]);
    assert.deepEqual(reborn.log, ["secured"]);
    old.dtls.close(world.clock.now());
    world.free();
  });

  test("that is a late copy of the one it began with changes nothing", () => {
    const world = new World();
    const client = world.connected(1);
    const second = world.sentBy("client")[1];
    assert.ok(second);
    const sentBefore = world.sentBy("server").length;
    world.server.receive(client.peer, second, world.clock.now());
    client.dtls.send(Buffer.from("still here"), world.clock.now());
    world.run();
    assert.deepEqual(client.log, ["secured", "message still here"]);
    assert.equal(world.sentBy("server").length, sentBefore + 1);
    world.free();
  });
});
