import assert from "node:assert/strict";
import { test } from "node:test";
import { type Issued, noCertificates, TestCa, testPki } from "../support/certificates.ts";
import { credential, peerAt, serverX509, type TestClient, World, x509Credential } from "./harness.ts";

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

/** Likewise with certificates. */
const CERTIFIED_ENDINGS: readonly ((world: World, port: number) => void)[] = [
  function closedByTheClient(world, port) {
    connectedWith(world, port, testPki().device("dev-1")).dtls.close(world.clock.now());
  },
  function closedByTheServer(world, port) {
    const client = connectedWith(world, port, testPki().device("dev-1"));
    const association = world.associations.pop();
    if (association !== undefined) world.server.close(association, world.clock.now());
    world.run();
    client.dtls.close(world.clock.now());
  },
  function untrusted(world, port) {
    stranger ??= TestCa.root("Stranger").issue("dev-1");
    connectedWith(world, port, stranger);
  },
  function wrongServer(world, port) {
    const trust = { serverCertificate: testPki().root.self.der };
    world.connected(port, { credential: x509Credential(testPki().device("dev-1"), trust) });
  },
  function neverConnected(world, port) {
    const options = { credential: x509Credential(testPki().device("dev-1")), serverName: "bs.example.com" };
    world.client(port, options).dtls.close(world.clock.now());
  },
  function lostInTheMiddle(world, port) {
    world.network = (datagram, from) => ({ copies: from === "client" && datagram[13] === 11 ? 0 : 1 });
    connectedWith(world, port, testPki().device("dev-1")).dtls.close(world.clock.now());
    world.network = () => ({ copies: 1 });
    world.pass(61_000);
  },
  function replacedCertificates(world) {
    world.server.replaceX509(serverX509());
  },
];

let stranger: Issued | undefined;

function connectedWith(world: World, port: number, device: Issued): TestClient {
  return world.connected(port, { credential: x509Credential(device), serverName: "bs.example.com" });
}

/** How many megabytes `count` handshakes have cost for good, after `before` to warm up. */
function growth(world: World, endings: readonly ((world: World, port: number) => void)[], before: number, count: number): number {
  const round = (times: number): void => {
    for (let i = 0; i < times; i++) {
      const port = i % 60_000;
      endings[i % endings.length]?.(world, port);
      world.run();
      world.clients.delete(peerAt(port).key);
      world.log.length = 0;
      world.wire.length = 0;
      world.associations.length = 0;
    }
  };
  round(before);
  global.gc?.();
  const start = process.memoryUsage.rss();
  round(count);
  global.gc?.();
  assert.equal(world.server.stats.associations, 0);
  assert.equal(world.server.stats.handshaking, 0);
  return (process.memoryUsage.rss() - start) / 2 ** 20;
}

test("several thousand handshakes that end in all ways keep memory flat", { timeout: 60_000 }, () => {
  const world = new World({ cipherSuites: ["TLS_PSK_WITH_AES_128_CCM_8"] });
  const grown = growth(world, ENDINGS, 1_500, 3_500);
  // One leaked SSL object per handshake would be 140 MB and more.
  assert.ok(grown < 30, `grew by ${grown.toFixed(1)} MB`);
  world.free();
});

test("so do those with certificates", { timeout: 60_000, skip: noCertificates }, () => {
  const world = new World({ x509: serverX509() });
  const grown = growth(world, CERTIFIED_ENDINGS, 1_000, 2_000);
  // One leaked SSL object per handshake would be 100 MB and more, one context 60 MB.
  assert.ok(grown < 30, `grew by ${grown.toFixed(1)} MB`);
  world.free();
});
