import assert from "node:assert/strict";
import { test } from "node:test";
import { Gate } from "../../src/bootstrap/gate.ts";
import { Admission } from "../../src/bootstrap/index.ts";
import { DtlsClient, DtlsServer, loadOpenSsl, type Peer } from "../../src/dtls/index.ts";
import { VirtualClock } from "../../src/lib/clock.ts";

const PSK = Buffer.alloc(16, 1);

/*
 *   device (never repeats)         gate, server
 *   ClientHello            -->     no budget: it waits
 *                          <--     HelloVerifyRequest, when it is its turn
 *   ClientHello (cookie)   -->     as above: it waits, or
 *                          <--     ServerHello ... Finished
 */
test("thirty devices that never say their ClientHello again, at ten handshakes a second: all are served, none faster than that (S6, clients.md trap 5)", () => {
  const clock = new VirtualClock(0);
  const queue: (() => void)[] = [];
  const secured: number[] = [];
  const clients: Map<string, DtlsClient> = new Map();
  let associations = 0;
  const admission = new Admission({ handshakesPerSecond: 10, sessions: 1000, inProgress: () => associations });
  const gate = new Gate(admission, "test");
  const server = new DtlsServer(
    loadOpenSsl(),
    {
      cookieSecret: Buffer.alloc(32, 7),
      lookupPsk: () => PSK,
      admits: (now) => gate.admits(now),
      admit: (now) => gate.admit(now),
    },
    {
      send: (peer, datagram) => queue.push(() => clients.get(peer.key)?.receive(datagram, clock.now())),
      secured: () => {
        secured.push(clock.now());
      },
      message: () => {},
      closed: () => {},
    },
  );
  const deliver = (): void => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) next();
    associations = server.stats.associations;
  };
  for (let port = 1; port <= 30; port++) {
    const peer: Peer = { key: `127.0.0.1 ${port}`, address: "127.0.0.1", port };
    const client = new DtlsClient(
      loadOpenSsl(),
      { credential: { mode: "psk", identity: Buffer.from(`device-${port}`), psk: PSK } },
      {
        send: (datagram) => queue.push(() => gate.receive(server, peer, datagram, clock.now())),
        secured: () => {},
        message: () => {},
        closed: () => {},
      },
    );
    clients.set(peer.key, client);
    client.connect(clock.now());
  }
  deliver();
  // The clients are never ticked, so they repeat nothing.
  for (; clock.now() < 10_000; clock.advance(20)) {
    if (admission.nextDeadline() !== undefined) admission.tick(clock.now());
    deliver();
  }
  assert.equal(secured.length, 30);
  for (const [index, at] of secured.entries()) assert.ok(index <= 5 + at / 100, `number ${index} after ${at} ms`);
  assert.deepEqual(admission.load(), { handshakesPerSecond: 10, sessions: 1000, turnedAway: 0, full: true });
  assert.equal(admission.load().full, false);
  for (const client of clients.values()) client.close(clock.now());
  server.free();
});
