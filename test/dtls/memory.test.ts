import assert from "node:assert/strict";
import { test } from "node:test";
import { credential, peerAt, World } from "./harness.ts";

/** Ways an association ends: each must give everything back. */
const ENDINGS: readonly ((world: World, port: number) => void)[] = [
  function closedByTheClient(world, port) {
    world.connected(port).dtls.close(world.clock.now());
  },
  function closedByTheServer(world, port) {
    const client = world.connected(port);
    const association = world.associations.pop();
    if (association !== undefined) world.server.close(association, world.clock.now());
    world.run();
    client.dtls.close(world.clock.now());
  },
  function wrongKey(world, port) {
    world.connected(port, { credential: credential(`device-${port}`, Buffer.alloc(16)) }).dtls.close(world.clock.now());
    world.pass(10_000);
  },
  function noSharedCipher(world, port) {
    world.connected(port, { cipherSuites: ["TLS_ECDHE_PSK_WITH_CHACHA20_POLY1305_SHA256"] });
  },
  function lostInTheMiddle(world, port) {
    world.network = (_datagram, from, index) => ({ copies: from === "server" && index > 0 ? 0 : 1 });
    world.connected(port).dtls.close(world.clock.now());
    world.network = () => ({ copies: 1 });
    world.pass(61_000);
  },
];

test("several thousand handshakes that end in all ways keep memory flat", { timeout: 60_000 }, () => {
  const world = new World({ cipherSuites: ["TLS_PSK_WITH_AES_128_CCM_8"] });
  const round = (count: number): void => {
    for (let i = 0; i < count; i++) {
      const port = i % 60_000;
      ENDINGS[i % ENDINGS.length]?.(world, port);
      world.run();
      world.clients.delete(peerAt(port).key);
      world.log.length = 0;
      world.wire.length = 0;
      world.associations.length = 0;
    }
  };
  round(1_500);
  global.gc?.();
  const before = process.memoryUsage.rss();
  round(3_500);
  global.gc?.();
  const grown = (process.memoryUsage.rss() - before) / 2 ** 20;
  assert.equal(world.server.stats.associations, 0);
  assert.equal(world.server.stats.handshaking, 0);
  // One leaked SSL object per handshake would be 140 MB and more.
  assert.ok(grown < 30, `grew by ${grown.toFixed(1)} MB`);
  world.free();
});
