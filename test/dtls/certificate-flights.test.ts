import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { seededRandom } from "../../src/lib/random.ts";
import { noCertificates, testPki } from "../support/certificates.ts";
import { type Fate, type Network, serverX509, type TestClient, World, x509Credential } from "./harness.ts";

const LOST: Fate = { copies: 0 };
const DELIVERED: Fate = { copies: 1 };
/** Five CAs above the device, so that its flight has some kilobytes. */
const LONG = "long";

function only(side: "client" | "server", at: number, fate: Fate): Network {
  return (_datagram, from, index) => (from === side && index === at ? fate : DELIVERED);
}

let long: ReturnType<typeof longChain> | undefined;

function longChain() {
  let ca = testPki().root;
  for (let i = 0; i < 5; i++) ca = ca.intermediate(`Test CA ${i}`);
  return ca.issue("dev-long");
}

function connect(world: World, mtu: number, chain: string = ""): TestClient {
  long ??= longChain();
  const device = chain === LONG ? long : testPki().device("dev-1");
  return world.connected(1, { credential: x509Credential(device), serverName: "bs.example.com", mtu });
}

describe("a handshake with certificates on a network", { skip: noCertificates }, () => {
  for (const mtu of [1232, 256]) {
    for (const [what, fate] of Object.entries({ lost: LOST, doubled: { copies: 2 }, late: { copies: 1, after: 3 } })) {
      test(`with any one datagram ${what} is complete after one timeout (MTU ${mtu})`, () => {
        const sent = { client: 0, server: 0 };
        const attempt = (side: "client" | "server", at: number): void => {
          const world = new World({ mtu, x509: serverX509() });
          world.network = only(side, at, fate);
          const client = connect(world, mtu);
          world.pass(1_000);
          assert.deepEqual(client.log, ["secured"], `${side}'s datagram ${at}`);
          sent[side] = world.sentBy(side).length;
          client.dtls.send(Buffer.from("ping"), world.clock.now());
          world.pass(0);
          if (what !== "lost") assert.deepEqual(client.log, ["secured", "message ping"], `${side}'s datagram ${at}`);
          world.free();
        };
        for (const side of ["client", "server"] as const) {
          attempt(side, 0);
          for (let at = 1; at < sent[side]; at++) attempt(side, at);
        }
        assert.ok(mtu > 256 || sent.client > 6, "its flight takes several datagrams");
      });
    }
  }

  test("whose last flight comes backwards, in many datagrams, is complete without a retransmission", () => {
    const world = new World({ mtu: 256, x509: serverX509() });
    world.network = () => LOST;
    const client = connect(world, 256, LONG);
    const turn = (): void => {
      const [hello, again] = [world.sentBy("client")[0], world.sentBy("client")[1]];
      for (const datagram of [again ?? hello]) if (datagram) world.server.receive(client.peer, datagram, world.clock.now());
    };
    turn();
    for (const datagram of world.sentBy("server").slice(0, 1)) client.dtls.receive(datagram, world.clock.now());
    turn();
    for (const datagram of world.sentBy("server").slice(1)) client.dtls.receive(datagram, world.clock.now());
    const flight = world.sentBy("client").slice(2);
    assert.ok(flight.length > 10, `${flight.length} datagrams`);
    for (const datagram of flight.toReversed()) world.server.receive(client.peer, datagram, world.clock.now());
    assert.deepEqual(world.log, ["secured dev-long"]);
    world.free();
  });

  test("whose last flight comes in any order, record by record, is complete without a retransmission", () => {
    const random = seededRandom(11);
    for (let round = 0; round < 40; round++) {
      const world = new World({ x509: serverX509() });
      world.network = (datagram, from, index) => {
        if (from !== "client" || index !== 2) return DELIVERED;
        const order = [...recordsIn(datagram).keys()];
        return { copies: 1, apart: shuffled(order, random.uniform.bind(random)) };
      };
      const client = connect(world, 1232);
      assert.deepEqual(client.log, ["secured"]);
      world.free();
    }
  });

  test("is complete although encrypted noise was there first, little of which is kept", () => {
    const world = new World({ x509: serverX509() });
    world.network = only("client", 2, LOST);
    const client = connect(world, 1232);
    const noise = Buffer.alloc(13 + 100);
    noise.set([22, 0xfe, 0xfd, 0, 1]);
    noise.writeUInt16BE(100, 11);
    for (let i = 0; i < 1_000; i++) world.server.receive(client.peer, noise, world.clock.now());
    assert.equal(world.server.stats.overflowed, 998);
    world.pass(1_000);
    assert.deepEqual(client.log, ["secured"]);
    world.free();
  });

  test("that loses a fifth, doubles and reorders is complete in time, also with long chains in small datagrams", () => {
    const random = seededRandom(42);
    const world = new World({ mtu: 512, x509: serverX509() });
    world.network = () => {
      const luck = random.uniform();
      if (luck < 0.2) return LOST;
      return { copies: luck < 0.3 ? 2 : 1, after: luck > 0.8 ? Math.floor(random.uniform() * 5) : 0 };
    };
    long ??= longChain();
    const known = [long, testPki().device("dev-1")];
    const clients = Array.from({ length: 60 }, (_, port) => {
      const device = known[port % 2] ?? testPki().device("dev-1");
      return world.client(port, { credential: x509Credential(device), serverName: "bs.example.com", mtu: 512 });
    });
    for (const { dtls } of clients) dtls.connect(world.clock.now());
    world.pass(60_000);
    const complete = clients.filter(({ log }) => log[0] === "secured").length;
    assert.ok(complete >= 54, `${complete} of 60`);
    world.free();
  });

  test("repeats the server's flight, in records with fresh numbers, for a client that begins again", () => {
    const world = new World({ mtu: 512, x509: serverX509() });
    world.network = (_datagram, from, index) => (from === "server" && index >= 1 ? LOST : DELIVERED);
    const client = connect(world, 512);
    world.network = () => DELIVERED;
    const hello = world.sentBy("client")[1];
    assert.ok(hello);
    world.server.receive(client.peer, hello, world.clock.now());
    world.run();
    assert.deepEqual(client.log, ["secured"]);
    const numbers = world
      .sentBy("server")
      .slice(1)
      .flatMap(recordsIn)
      .filter((record) => record.readUInt16BE(3) === 0)
      .map((record) => record.readUIntBE(5, 6));
    assert.equal(new Set(numbers).size, numbers.length);
    world.free();
  });

  test("begins with a ClientHello in a record of version 0xFE00", () => {
    const world = new World({ x509: serverX509() });
    world.network = (datagram, from) => {
      if (from === "client" && datagram[13] === 1) datagram[2] = 0;
      return DELIVERED;
    };
    assert.deepEqual(connect(world, 1232).log, ["secured"]);
    world.free();
  });

  test("from a live address and port replaces the association (RFC 6347 section 4.2.8)", () => {
    const world = new World({ x509: serverX509() });
    connect(world, 1232);
    assert.deepEqual(connect(world, 1232).log, ["secured"]);
    assert.deepEqual(world.log, ["secured dev-1", "closed dev-1 replaced", "secured dev-1"]);
    world.free();
  });
});

function recordsIn(datagram: Buffer): Buffer[] {
  const records: Buffer[] = [];
  for (let at = 0; at + 13 <= datagram.length; ) {
    const end = at + 13 + datagram.readUInt16BE(at + 11);
    records.push(datagram.subarray(at, end));
    at = end;
  }
  return records;
}

function shuffled(items: number[], uniform: () => number): number[] {
  return items
    .map((item) => ({ item, key: uniform() }))
    .sort((a, b) => a.key - b.key)
    .map(({ item }) => item);
}
