import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { seededRandom } from "../../src/lib/random.ts";
import { credential, type Fate, type Network, World } from "./harness.ts";

const SUITES = ["TLS_PSK_WITH_AES_128_CCM_8", "TLS_ECDHE_PSK_WITH_AES_128_CBC_SHA256"] as const;
const LOST: Fate = { copies: 0 };
const DELIVERED: Fate = { copies: 1 };

/** Applies `fate` to the datagram number `at` of one side. */
function only(side: "client" | "server", at: number, fate: Fate): Network {
  return (_datagram, from, index) => (from === side && index === at ? fate : DELIVERED);
}

describe("a handshake on a network", () => {
  for (const suite of SUITES) {
    for (const mtu of [1232, 256]) {
      for (const [what, fate] of Object.entries({ lost: LOST, doubled: { copies: 2 }, late: { copies: 1, after: 3 } })) {
        test(`with any one datagram ${what} is complete after one timeout (${suite}, MTU ${mtu})`, () => {
          for (const side of ["client", "server"] as const) {
            for (let at = 0; at < 6; at++) {
              const world = new World({ mtu });
              world.network = only(side, at, fate);
              const client = world.connected(1, { cipherSuites: [suite], credential: credential(Buffer.alloc(180, "i")), mtu });
              world.pass(1_000);
              assert.deepEqual(client.log, ["secured"], `${side}'s datagram ${at}`);
              client.dtls.send(Buffer.from("ping"), world.clock.now());
              world.pass(0);
              if (what !== "lost") assert.deepEqual(client.log, ["secured", "message ping"], `${side}'s datagram ${at}`);
              world.free();
            }
          }
        });
      }
    }
  }

  test("that loses a third, doubles and reorders is complete in time", () => {
    const random = seededRandom(42);
    const world = new World();
    world.network = () => {
      const luck = random.uniform();
      if (luck < 0.3) return LOST;
      return { copies: luck < 0.4 ? 2 : 1, after: luck > 0.8 ? Math.floor(random.uniform() * 5) : 0 };
    };
    const clients = Array.from({ length: 200 }, (_, port) => world.client(port));
    for (const { dtls } of clients) dtls.connect(world.clock.now());
    world.pass(60_000);
    const complete = clients.filter(({ log }) => log[0] === "secured").length;
    assert.ok(complete >= 190, `${complete} of 200`);
    assert.ok(world.server.stats.retransmissions > 0);
    world.free();
  });
});

describe("the retransmission timer", () => {
  test("of a client begins at 1 s, doubles, and ends with the handshake timeout", () => {
    const world = new World();
    world.network = () => LOST;
    const client = world.client(1);
    client.dtls.connect(world.clock.now());
    world.pass(70_000);
    assert.deepEqual(
      world.wire.map(({ at }) => at),
      [0, 1_000, 3_000, 7_000, 15_000, 31_000],
    );
    assert.deepEqual(client.log, ["closed handshake-timeout"]);
    assert.equal(client.dtls.nextDeadline(), undefined);
    world.free();
  });

  test("of a server runs from its ServerHello, in records with fresh numbers", () => {
    const world = new World();
    world.network = (_datagram, from, index) => (from === "server" && index >= 1 ? LOST : DELIVERED);
    const { dtls, peer } = world.connected(1);
    dtls.close(world.clock.now());
    world.clients.delete(peer.key);
    world.pass(70_000);
    const flights = world.wire.filter(({ from }) => from === "server").slice(1);
    assert.deepEqual(
      flights.map(({ at }) => at),
      [0, 1_000, 3_000, 7_000, 15_000, 31_000],
    );
    const numbers = flights.map(({ datagram }) => datagram.readUIntBE(5, 6));
    assert.deepEqual(
      [...new Set(numbers)].sort((a, b) => a - b),
      numbers,
      "each number once, rising",
    );
    const [first, second] = flights;
    assert.deepEqual(second?.datagram.subarray(13, 76), first?.datagram.subarray(13, 76), "the same ServerHello");
    assert.deepEqual(world.log, ["closed handshake-timeout"]);
    world.free();
  });

  test("stops for both when the handshake is complete", () => {
    const world = new World();
    const client = world.connected(1);
    const sent = world.wire.length;
    world.pass(20_000);
    assert.equal(world.wire.length, sent);
    assert.equal(client.dtls.nextDeadline(), undefined);
    world.free();
  });

  test("also of a late tick retransmits once", () => {
    const world = new World();
    world.network = () => LOST;
    const client = world.client(1);
    client.dtls.connect(world.clock.now());
    world.clock.advance(20_000);
    client.dtls.tick(world.clock.now());
    client.dtls.tick(world.clock.now());
    assert.equal(world.wire.length, 2);
    world.free();
  });
});

test("a server repeats its last flight for a client that has not got it, and not for ever", () => {
  const world = new World();
  world.network = (_datagram, from, index) => (from === "server" && index === 2 ? LOST : DELIVERED);
  const client = world.connected(1);
  assert.deepEqual(world.log, ["secured device-1"]);
  assert.deepEqual(client.log, []);
  world.pass(1_000);
  assert.deepEqual(client.log, ["secured"]);
  const keyExchange = world.sentBy("client")[2];
  assert.ok(keyExchange);
  const sent = world.sentBy("server").length;
  for (let i = 0; i < 50; i++) world.server.receive(client.peer, keyExchange, world.clock.now());
  assert.ok(world.sentBy("server").length - sent <= 12, "a forger gets little out of it");
  client.dtls.send(Buffer.from("ping"), world.clock.now());
  world.run();
  assert.deepEqual(client.log, ["secured", "message ping"]);
  world.free();
});
