import assert from "node:assert/strict";
import { createPrivateKey, generateKeyPairSync } from "node:crypto";
import { describe, test } from "node:test";
import type { ServerX509 } from "../../src/dtls/index.ts";
import { makeKey, noCertificates, testPki } from "../support/certificates.ts";
import { serverX509, World, x509Credential } from "./harness.ts";

/** What a server says that is made with this instead. */
function complaint(change: Partial<ServerX509>): string {
  try {
    new World({ x509: { ...serverX509(), ...change } }).free();
    return "";
  } catch (error) {
    assert.equal((error as { code?: string }).code, "invalid-input");
    return (error as Error).message;
  }
}

describe("certificates, keys and lists that are no good", { skip: noCertificates }, () => {
  test("are refused with the name of the option, and what it needs", () => {
    const { server } = testPki();
    assert.match(complaint({ certificate: "" }), /^x509\.certificate: needs a certificate in PEM .*; there is no PEM$/);
    assert.match(complaint({ certificate: server.privateKey }), /^x509\.certificate: .*; there is only PRIVATE KEY$/);
    assert.match(complaint({ privateKey: server.certificate }), /^x509\.privateKey: needs a private key in PEM /);
    assert.match(complaint({ clientCa: "" }), /^x509\.clientCa: needs a certificate /);
    assert.match(complaint({ crl: server.certificate }), /^x509\.crl: needs a revocation list in PEM /);
  });

  test("that cannot be read are said to be so", () => {
    const { server, root } = testPki();
    const spoiled = server.certificate.replace(/\n.{8}/, "\nAAAAAAAA");
    assert.match(complaint({ certificate: spoiled }), /^x509\.certificate: OpenSSL cannot read the certificate in it$/);
    const second = complaint({ clientCa: root.certificate + spoiled });
    assert.match(second, /^x509\.clientCa: OpenSSL cannot read another certificate in it$/);
    assert.match(complaint({ certificate: new Uint8Array(0) }), /^x509\.certificate: OpenSSL cannot read the certificate/);
    assert.match(complaint({ privateKey: Uint8Array.of(1, 2, 3) }), /^x509\.privateKey: OpenSSL cannot read the private key/);
  });

  test("that do not go together are refused, without a word of the key", () => {
    const { server } = testPki();
    const other = makeKey().privateKey;
    const message = complaint({ privateKey: other });
    assert.match(message, /^x509\.privateKey: does not belong to the certificate/);
    const upsideDown = server.chain
      .split(/(?=-----BEGIN)/)
      .toReversed()
      .join("");
    assert.match(complaint({ certificate: upsideDown }), /^x509\.certificate: the first one has to be the owner's own/);
  });

  test("that are encrypted are refused with the way out", () => {
    const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const secret = { cipher: "aes-128-cbc", passphrase: "x" };
    for (const type of ["pkcs8", "sec1"] as const) {
      const encrypted = privateKey.export({ type, format: "pem", ...secret }).toString();
      assert.match(complaint({ privateKey: encrypted }), /^x509\.privateKey: is encrypted; .* openssl pkey /);
    }
  });

  test("that were made for other things than TLS are refused", () => {
    const { certificate, privateKey } = testPki().root.self;
    assert.match(complaint({ certificate, privateKey }), /^x509\.certificate: .* keyUsage lacks digitalSignature$/);
  });

  test("that make a chain nobody would read are refused", () => {
    const { server, root } = testPki();
    const message = complaint({ certificate: server.certificate + root.certificate.repeat(60) });
    assert.match(message, /^x509\.certificate: may take 16384 bytes, takes \d+$/);
  });

  test("of a client are refused likewise", () => {
    const world = new World();
    const known = testPki().device("dev-1");
    const credential = x509Credential({ ...known, privateKey: makeKey().privateKey });
    assert.throws(() => world.client(1, { credential, serverName: "x" }), { message: /^credential\.privateKey: does not/ });
    world.free();
  });
});

describe("keys as files have them", { skip: noCertificates }, () => {
  test("in SEC 1 after the curve's parameters, with other blocks around, are found", () => {
    const { server } = testPki();
    const sec1 = createPrivateKey(server.privateKey).export({ type: "sec1", format: "pem" }).toString();
    const parameters = "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n";
    assert.equal(complaint({ privateKey: parameters + sec1 }), "");
    assert.equal(complaint({ privateKey: server.chain + server.privateKey, certificate: server.privateKey + server.chain }), "");
    assert.equal(complaint({ privateKey: sec1.replaceAll("\n", "\r\n") }), "");
  });
});

test("suites that leave one way to prove something unused are refused", { skip: noCertificates }, () => {
  const message = /^cipherSuites: at least one with a (certificate|psk) is needed, and there is none$/;
  const x509 = serverX509();
  assert.throws(() => new World({ x509, cipherSuites: ["TLS_PSK_WITH_AES_128_CCM_8"] }), { code: "invalid-input", message });
  assert.throws(() => new World({ x509, cipherSuites: ["TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8"] }), { message });
});

test("a server without any way to prove anything is refused", () => {
  assert.throws(() => new World({}, { psk: false }), { code: "invalid-input" });
});
