import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { CipherSuite, DtlsServerOptions, ServerX509 } from "../../src/dtls/index.ts";
import { type Issued, noCertificates, TestCa, testPki } from "../support/certificates.ts";
import { CERTIFICATE_SUITES, credential, START, serverX509, World, x509Credential } from "./harness.ts";

const NAME = "bs.example.com";
const DAY = 24 * 3_600_000;

/** What the server and the client say when a device with this certificate comes. */
function meet(device: Issued, options: Partial<DtlsServerOptions> = {}): { server: string[]; client: string[] } {
  const world = new World({ x509: serverX509(), ...options });
  const client = world.connected(1, { credential: x509Credential(device), serverName: NAME });
  world.free();
  return { server: world.log.slice(0, 1), client: client.log.slice(0, 1) };
}

function trusting(clientCa: string, crl?: string): { x509: ServerX509 } {
  return { x509: { ...serverX509(), clientCa, ...(crl === undefined ? {} : { crl }) } };
}

const WELCOME = { server: ["secured dev-1"], client: ["secured"] };

function refused(fault: string): { server: string[]; client: string[] } {
  return { server: [`closed ${fault}`], client: ["closed alert"] };
}

describe("a handshake with certificates", { skip: noCertificates }, () => {
  const keyOf = (suite: CipherSuite) => (suite.includes("RSA_") && !suite.includes("ECDSA") ? "RSA-2048" : "P-256");
  for (const suite of CERTIFICATE_SUITES) {
    test(`with ${suite} carries messages both ways, and tells whose certificate it was`, () => {
      const { issuing, root, device } = testPki();
      const server = issuing.issue(NAME, { names: [`DNS:${NAME}`], key: keyOf(suite) });
      const x509 = { certificate: server.chain, privateKey: server.privateKey, clientCa: root.certificate };
      const world = new World({ x509 });
      const known = device("dev-1");
      const client = world.connected(1, { credential: x509Credential(known), serverName: NAME, cipherSuites: [suite] });
      client.dtls.send(Buffer.from("ping"), world.clock.now());
      world.run();
      assert.deepEqual(world.log, ["secured dev-1", "message ping"]);
      assert.deepEqual(client.log, ["secured", "message ping"]);
      assert.equal(client.dtls.cipherSuite, suite);
      assert.deepEqual(world.associations[0]?.credential, { mode: "x509", certificate: Uint8Array.from(known.der) });
      world.free();
    });
  }

  for (const key of ["P-384", "RSA-2048", "Ed25519"] as const) {
    test(`takes a client's key of the kind ${key}`, () => {
      assert.deepEqual(meet(testPki().issuing.issue("dev-1", { key })), WELCOME);
    });
  }

  test("leaves those with a PSK alone, on the same server", () => {
    const world = new World({ x509: serverX509() });
    assert.deepEqual(world.connected(1).log, ["secured"]);
    assert.deepEqual(world.connected(2, { credential: x509Credential(testPki().device("dev-2")), serverName: NAME }).log, [
      "secured",
    ]);
    assert.deepEqual(world.log, ["secured device-1", "secured dev-2"]);
    world.free();
  });

  test("is the only way in where there is no lookupPsk", () => {
    const world = new World({ x509: serverX509() }, { psk: false });
    assert.deepEqual(world.connected(1, { credential: credential("dev-1") }).log, ["closed alert"]);
    assert.deepEqual(world.connected(2, { credential: x509Credential(testPki().device("dev-2")), serverName: NAME }).log, [
      "secured",
    ]);
    assert.deepEqual(world.log, ["closed no-shared-cipher", "secured dev-2"]);
    world.free();
  });

  test("does not need a look-up, and shows no credential before it is complete", () => {
    const world = new World({ x509: serverX509(), lookupPsk: () => assert.fail("asked") });
    world.network = (_datagram, from, index) => ({ copies: from === "client" && index === 2 ? 0 : 1 });
    world.connected(1, { credential: x509Credential(testPki().device("dev-1")), serverName: NAME });
    world.network = () => ({ copies: 1 });
    world.pass(60_000);
    assert.deepEqual(world.log, ["secured dev-1"]);
    world.free();
  });
});

describe("a client's certificate", { skip: noCertificates }, () => {
  test("is taken with its chain, from a root, or alone, if the server has the CA between", () => {
    const { root, issuing, device } = testPki();
    const known = device("dev-1");
    const alone = { ...known, chain: known.certificate };
    assert.deepEqual(meet(known, trusting(root.certificate)), WELCOME);
    assert.deepEqual(meet(alone, trusting(root.certificate)), refused("certificate-untrusted"));
    assert.deepEqual(meet(alone, trusting(root.certificate + issuing.certificate)), WELCOME);
    assert.deepEqual(meet(root.issue("dev-1"), trusting(root.certificate)), WELCOME);
  });

  test("is taken from a CA that is not a root and stands alone in the list", () => {
    const { issuing, device } = testPki();
    assert.deepEqual(meet(device("dev-1"), trusting(issuing.certificate)), WELCOME);
    assert.deepEqual(meet({ ...device("dev-1"), chain: device("dev-1").certificate }, trusting(issuing.certificate)), WELCOME);
  });

  test("of another CA is untrusted, also of one that bears our CA's name, or signs for itself", () => {
    const stranger = TestCa.root("Test Root CA").intermediate("Test Issuing CA");
    assert.deepEqual(meet(stranger.issue("dev-1")), refused("certificate-untrusted"));
    assert.deepEqual(meet(TestCa.selfSigned("dev-1")), refused("certificate-untrusted"));
  });

  test("counts by the wall clock that is passed in, or by `now`", () => {
    const { issuing } = testPki();
    const device = issuing.issue("dev-1", { from: new Date(START - DAY), until: new Date(START + DAY) });
    assert.deepEqual(meet(device), WELCOME);
    assert.deepEqual(meet(device, { wallClock: () => START + 2 * DAY }), refused("certificate-expired"));
    assert.deepEqual(meet(device, { wallClock: () => START - 2 * DAY }), refused("certificate-expired"));
  });

  test("below a CA that has expired has expired too", () => {
    const ca = testPki().root.intermediate("Old CA", { until: new Date(START - DAY) });
    assert.deepEqual(meet(ca.issue("dev-1")), refused("certificate-expired"));
  });

  test("for servers only, or signed with a certificate that is no CA's, is invalid", () => {
    const { issuing, device } = testPki();
    assert.deepEqual(meet(issuing.issue("dev-1", { usage: "serverAuth" })), refused("certificate-invalid"));
    const forged = TestCa.impostor(device("dev-2")).issue("dev-1");
    const chain = forged.certificate + device("dev-2").chain;
    assert.deepEqual(meet({ ...forged, chain }), refused("certificate-invalid"));
  });

  test("with a key of 1024 bits, or signed with SHA-1, is invalid, although CCM_8 needs OpenSSL's lowest security level", () => {
    const { issuing } = testPki();
    assert.deepEqual(meet(issuing.issue("dev-1", { key: "RSA-1024" })), refused("certificate-invalid"));
    assert.deepEqual(meet(issuing.issue("dev-1", { digest: "sha1" })), refused("certificate-invalid"));
  });

  test("with a key of a kind that was not asked for is invalid, or as good as none", () => {
    const { issuing } = testPki();
    assert.deepEqual(meet(issuing.issue("dev-1", { key: "secp256k1" })), refused("certificate-invalid"));
    assert.deepEqual(meet(issuing.issue("dev-1", { key: "Ed448" })), refused("certificate-missing"));
  });

  test("below more than six CAs is invalid", () => {
    const chainOf = (length: number): Issued => {
      let ca = testPki().root;
      for (let i = 0; i < length; i++) ca = ca.intermediate(`CA ${i}`);
      return ca.issue("dev-1");
    };
    assert.deepEqual(meet(chainOf(6)), WELCOME);
    assert.deepEqual(meet(chainOf(8)), refused("certificate-invalid"));
  });
});

describe("a revocation list", { skip: noCertificates }, () => {
  const root = noCertificates ? undefined : TestCa.root("Revoking Root");
  const left = root?.intermediate("Left CA");
  const right = root?.intermediate("Right CA");

  test("turns away whom it names, and nobody else", () => {
    assert.ok(root && left);
    const [good, bad] = [left.issue("dev-1"), left.issue("dev-2")];
    left.revoke(bad.certificate);
    const options = trusting(root.certificate, root.crl() + left.crl());
    assert.deepEqual(meet(good, options), WELCOME);
    assert.deepEqual(meet(bad, options), refused("certificate-revoked"));
  });

  test("that names a CA turns away all that it signed", () => {
    assert.ok(root && left);
    const fallen = root.intermediate("Fallen CA");
    root.revoke(fallen.certificate);
    const options = trusting(root.certificate + fallen.certificate, root.crl() + left.crl() + fallen.crl());
    assert.deepEqual(meet(fallen.issue("dev-1"), options), refused("certificate-revoked"));
    assert.deepEqual(meet(left.issue("dev-1"), options), WELCOME);
  });

  test("that names a CA does so although other CAs in the list stand alone", () => {
    assert.ok(root && left);
    const fallen = root.intermediate("Fallen CA");
    root.revoke(fallen.certificate);
    const alone = TestCa.root("Unlisted Root").intermediate("Lone CA");
    const clientCa = root.certificate + fallen.certificate + alone.certificate;
    const options = trusting(clientCa, root.crl() + left.crl() + fallen.crl() + alone.crl());
    assert.deepEqual(meet(fallen.issue("dev-1"), options), refused("certificate-revoked"));
    assert.deepEqual(meet(left.issue("dev-1"), options), WELCOME);
    assert.deepEqual(meet(alone.issue("dev-1"), options), WELCOME);
  });

  test("that is missing for one CA closes the door to its devices only", () => {
    assert.ok(root && left && right);
    const options = trusting(root.certificate, root.crl() + left.crl());
    assert.deepEqual(meet(right.issue("dev-1"), options), refused("revocation-unknown"));
    assert.deepEqual(meet(left.issue("dev-1"), options), WELCOME);
    assert.deepEqual(meet(left.issue("dev-1"), trusting(root.certificate, left.crl())), refused("revocation-unknown"));
  });

  test("that is out of date, not in force yet, or of an impostor says nothing", () => {
    assert.ok(root && left);
    const device = left.issue("dev-1");
    const stale = left.crl({ until: new Date(START - DAY) });
    const early = left.crl({ from: new Date(START + DAY) });
    const forged = TestCa.root("Left CA").crl();
    for (const crl of [stale, early, forged]) {
      assert.deepEqual(meet(device, trusting(root.certificate, root.crl() + crl)), refused("revocation-unknown"));
    }
  });

  test("is not asked of a trust anchor that is not a root, but is of the CAs below it", () => {
    assert.ok(left);
    const below = left.intermediate("Below CA");
    const bad = below.issue("dev-2");
    below.revoke(bad.certificate);
    const options = trusting(left.certificate, left.crl() + below.crl());
    assert.deepEqual(meet(below.issue("dev-1"), options), WELCOME);
    assert.deepEqual(meet(bad, options), refused("certificate-revoked"));
    assert.deepEqual(meet(below.issue("dev-1"), trusting(left.certificate, left.crl())), refused("revocation-unknown"));
    assert.deepEqual(meet(left.issue("dev-1"), trusting(left.certificate, below.crl())), refused("revocation-unknown"));
  });
});

describe("other certificates, while the server runs", { skip: noCertificates }, () => {
  test("are for handshakes from now on; associations go on", () => {
    const { root, issuing, device } = testPki();
    const world = new World({ x509: serverX509() });
    const first = world.connected(1, { credential: x509Credential(device("dev-1")), serverName: NAME });
    issuing.revoke(device("dev-1").certificate);
    world.server.replaceX509({ ...serverX509(), crl: root.crl() + issuing.crl() });
    const again = world.connected(2, { credential: x509Credential(device("dev-1")), serverName: NAME });
    const other = world.connected(3, { credential: x509Credential(device("dev-3")), serverName: NAME });
    first.dtls.send(Buffer.from("still here"), world.clock.now());
    world.run();
    assert.deepEqual(first.log, ["secured", "message still here"]);
    assert.deepEqual(again.log, ["closed alert"]);
    assert.deepEqual(other.log, ["secured"]);
    assert.deepEqual(world.log, ["secured dev-1", "closed certificate-revoked", "secured dev-3", "message still here"]);
    world.free();
  });

  test("do not disturb a handshake that is under way", () => {
    const world = new World({ x509: serverX509() });
    world.network = (_datagram, from, index) => ({ copies: from === "client" && index === 2 ? 0 : 1 });
    const client = world.connected(1, { credential: x509Credential(testPki().device("dev-2")), serverName: NAME });
    world.server.replaceX509({ ...serverX509(), clientCa: TestCa.root("Other Root").certificate });
    world.network = () => ({ copies: 1 });
    world.pass(2_000);
    assert.deepEqual(client.log, ["secured"]);
    world.free();
  });

  test("that are wrong change nothing", () => {
    const world = new World({ x509: serverX509() });
    assert.throws(() => world.server.replaceX509({ ...serverX509(), crl: "nothing" }), { code: "invalid-input" });
    const client = world.connected(1, { credential: x509Credential(testPki().device("dev-2")), serverName: NAME });
    assert.deepEqual(client.log, ["secured"]);
    world.free();
  });
});
