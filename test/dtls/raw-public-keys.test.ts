import assert from "node:assert/strict";
import { createPrivateKey } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { type ClientCredential, DtlsServer, loadOpenSsl, OpenSslTooOld } from "../../src/dtls/index.ts";
import { type KeyKind, makeKey, noCertificates, testPki } from "../support/certificates.ts";
import { needs, needsCurrentNode, runInCurrentNode } from "../support/tools.ts";
import { CERTIFICATE_SUITES, firstHello, hashOf, serverX509, World, x509Credential } from "./harness.ts";
import { content, Program, SocketServer } from "./on-sockets.ts";

const [, major = 0, minor = 0] = /^OpenSSL (\d+)\.(\d+)/.exec(loadOpenSsl().version)?.map(Number) ?? [];
const spoken = major > 3 || (major === 3 && minor >= 2);

if (spoken) describe("raw public keys", tell);
else describe("raw public keys in an OpenSSL before 3.2", tellWithout);

function tellWithout(): void {
  test("are refused when the server or client is made, with what to do", () => {
    const { privateKey, spki } = makeKey();
    const says = (error: unknown): boolean =>
      error instanceof OpenSslTooOld &&
      error.code === "openssl-too-old" &&
      error.message.includes(loadOpenSsl().version) &&
      error.message.includes("use Node 24");
    assert.throws(() => new World({ rawPublicKey: { privateKey } }), says);
    assert.throws(() => firstHello({ credential: { mode: "rpk", privateKey, serverPublicKey: spki } }), says);
  });

  test("work in a current Node", { skip: needsCurrentNode(), timeout: 120_000 }, () => {
    assert.match(runInCurrentNode(import.meta.url), /^\s*ok \d+ - raw public keys$/m, "they were tested there");
  });
}

function tell(): void {
  const server = makeKey();
  const device = makeKey();

  function rpk(key: { privateKey: string } = device, serverPublicKey: Uint8Array | string = server.spki): ClientCredential {
    return { mode: "rpk", privateKey: key.privateKey, serverPublicKey };
  }
  const rawPublicKey = { privateKey: server.privateKey };

  for (const suite of CERTIFICATE_SUITES) {
    test(`with ${suite} carry messages both ways, and tell which key it was`, () => {
      const kind: KeyKind = suite.includes("ECDSA") ? "P-256" : "RSA-2048";
      const own = makeKey(kind);
      const world = new World({ rawPublicKey: { privateKey: own.privateKey } });
      const client = world.connected(1, { credential: rpk(device, own.spki), cipherSuites: [suite] });
      client.dtls.send(Buffer.from("ping"), world.clock.now());
      world.run();
      assert.deepEqual(world.log, [`secured ${hashOf(device.spki)}`, "message ping"]);
      assert.deepEqual(client.log, ["secured", "message ping"]);
      assert.deepEqual(world.associations[0]?.credential, { mode: "rpk", publicKey: Uint8Array.from(device.spki) });
      world.free();
    });
  }

  test("and PSK and certificates share a server, each with its own key of it", { skip: noCertificates }, () => {
    const world = new World({ rawPublicKey, x509: serverX509() });
    const certified = x509Credential(testPki().device("dev-2"), { serverCertificate: testPki().server.der });
    assert.deepEqual(world.connected(1).log, ["secured"]);
    assert.deepEqual(world.connected(2, { credential: certified }).log, ["secured"]);
    assert.deepEqual(world.connected(3, { credential: rpk() }).log, ["secured"]);
    assert.deepEqual(world.log, ["secured device-1", "secured dev-2", `secured ${hashOf(device.spki)}`]);
    world.free();
  });

  test("may stand alone; then nobody else gets in", { skip: noCertificates }, () => {
    const world = new World({ rawPublicKey }, { psk: false });
    assert.deepEqual(world.connected(1, { credential: rpk() }).log, ["secured"]);
    assert.deepEqual(world.connected(2).log, ["closed alert"]);
    const certified = x509Credential(testPki().device("dev-2"), { serverCertificate: testPki().server.der });
    assert.deepEqual(world.connected(3, { credential: certified }).log, ["closed alert"]);
    world.free();
  });

  test("are not taken where the server has only certificates", { skip: noCertificates }, () => {
    const world = new World({ x509: serverX509() });
    assert.deepEqual(world.connected(1, { credential: rpk() }).log, ["closed certificate-untrusted"]);
    world.free();
  });

  const gnutls = "coap-client-gnutls";
  test("are spoken with GnuTLS, by libcoap", { skip: needs(gnutls, "libcoap3-bin") }, async () => {
    const folder = mkdtempSync(join(tmpdir(), "berth-rpk-"));
    const sec1 = createPrivateKey(device.privateKey).export({ type: "sec1", format: "pem" });
    writeFileSync(join(folder, "key.pem"), `${sec1}${device.publicKey}`);
    const open = await SocketServer.open({ rawPublicKey }, (request) => content(request, "configured"));
    const uri = `coaps://127.0.0.1:${open.port}/bs`;
    const program = new Program(gnutls, ["-B", "10", "-n", "-M", join(folder, "key.pem"), uri]);
    try {
      await program.says("configured");
      assert.deepEqual(open.secured[0]?.credential, { mode: "rpk", publicKey: Uint8Array.from(device.spki) });
    } finally {
      program.kill();
      open.close();
      rmSync(folder, { recursive: true, force: true });
    }
  });

  test("of another server are refused by the client", () => {
    const world = new World({ rawPublicKey });
    assert.deepEqual(world.connected(1, { credential: rpk(device, makeKey().spki) }).log, ["closed certificate-untrusted"]);
    assert.deepEqual(world.log, ["closed alert"]);
    world.free();
  });

  test("of the server may be pinned as PEM", () => {
    const world = new World({ rawPublicKey });
    assert.deepEqual(world.connected(1, { credential: rpk(device, server.publicKey) }).log, ["secured"]);
    world.free();
  });

  test("of 1024 bits are too weak", () => {
    const world = new World({ rawPublicKey });
    assert.deepEqual(world.connected(1, { credential: rpk(makeKey("RSA-1024")) }).log, ["closed alert"]);
    assert.deepEqual(world.log, ["closed certificate-invalid"]);
    world.free();
  });

  test("whose owner does not sign the handshake are not proven", () => {
    const world = new World({ rawPublicKey });
    world.network = (datagram, from, index) => {
      // The last byte of CertificateVerify stands before ChangeCipherSpec, which is followed by Finished.
      if (from === "client" && index === 2) spoilBefore(datagram, 20);
      return { copies: 1 };
    };
    assert.deepEqual(world.connected(1, { credential: rpk() }).log, ["closed alert"]);
    assert.deepEqual(world.log, ["closed certificate-invalid"]);
    world.free();
  });

  test("in fragments, lost once each, are put together", () => {
    for (let lost = 0; lost < 8; lost++) {
      for (const side of ["client", "server"] as const) {
        const world = new World({ rawPublicKey, mtu: 256 });
        world.network = (_datagram, from, index) => ({ copies: from === side && index === lost ? 0 : 1 });
        const client = world.connected(1, { credential: rpk(), mtu: 256 });
        world.pass(1_000);
        assert.deepEqual(client.log, ["secured"], `${side} ${lost}`);
        world.free();
      }
    }
  });

  test("that cannot be read are refused when the server or client is made", () => {
    const options = { cookieSecret: Buffer.alloc(32) };
    const events = { send: () => {}, secured: () => {}, message: () => {}, closed: () => {} };
    const make = (privateKey: string) => () =>
      new DtlsServer(loadOpenSsl(), { ...options, rawPublicKey: { privateKey } }, events);
    assert.throws(make(""), { code: "invalid-input", message: /^rawPublicKey\.privateKey: needs a private key in PEM/ });
    const world = new World({ rawPublicKey });
    const client = (credential: ClientCredential) => () => world.client(1, { credential });
    assert.throws(client(rpk(device, "")), { message: /^credential\.serverPublicKey: needs a public key in PEM/ });
    assert.throws(client(rpk({ privateKey: server.publicKey })), { message: /^credential\.privateKey: needs a private key/ });
    world.free();
  });

  test("keep memory flat over a thousand handshakes", { timeout: 60_000 }, () => {
    const world = new World({ rawPublicKey });
    const round = (count: number): number => {
      for (let i = 0; i < count; i++) {
        const pinned = i % 3 === 0 ? device.spki : server.spki;
        const client = world.connected(i, { credential: rpk(device, pinned) });
        client.dtls.close(world.clock.now());
        world.run();
        world.clients.clear();
        for (const list of [world.log, world.wire, world.associations]) list.length = 0;
      }
      global.gc?.();
      return process.memoryUsage.rss() / 2 ** 20;
    };
    const before = round(500);
    const grown = round(1_500) - before;
    assert.ok(grown < 30, `grew by ${grown.toFixed(1)} MB`);
    world.free();
  });
}

/** Flips a bit of the last byte before the first record of that type. */
function spoilBefore(datagram: Buffer, type: number): void {
  let at = 0;
  while (datagram[at] !== type) at += 13 + datagram.readUInt16BE(at + 11);
  datagram[at - 1] = (datagram[at - 1] ?? 0) ^ 1;
}
