import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { DtlsClientOptions, ServerTrust } from "../../src/dtls/index.ts";
import { type Issued, noCertificates, TestCa, testPki } from "../support/certificates.ts";
import { START, World, x509Credential } from "./harness.ts";

const DAY = 24 * 3_600_000;

/** How a client takes a server that shows this certificate. */
function meet(server: Issued, trust: ServerTrust, serverName?: string, options: Partial<DtlsClientOptions> = {}): string {
  const { root, device } = testPki();
  const world = new World({ x509: { certificate: server.chain, privateKey: server.privateKey, clientCa: root.certificate } });
  const named = serverName === undefined ? {} : { serverName };
  const client = world.connected(1, { credential: x509Credential(device("dev-1"), trust), ...named, ...options });
  const [said = ""] = client.log;
  world.free();
  // Whatever the client finds wrong it tells the server by an alert.
  assert.deepEqual(world.log.slice(0, 1), [said === "secured" ? "secured dev-1" : "closed alert"]);
  return said;
}

describe("a server's certificate, to a client that trusts a CA", { skip: noCertificates }, () => {
  const anchor = (): ServerTrust => ({ ca: testPki().root.certificate });

  test("is taken if it is for the server's name, in a wildcard too, or its address", () => {
    const { server } = testPki();
    assert.equal(meet(server, anchor(), "bs.example.com"), "secured");
    assert.equal(meet(server, anchor(), "BSabcdef.bs.example.com"), "secured");
    assert.equal(meet(server, anchor(), "127.0.0.1"), "secured");
  });

  test("is not taken for another name or address, a wildcard's deeper one, or a part of a label (RFC 6125 section 6.4)", () => {
    const { server, issuing } = testPki();
    for (const name of ["other.example.com", "a.b.bs.example.com", "example.com", "127.0.0.2", "::1"]) {
      assert.equal(meet(server, anchor(), name), "closed certificate-wrong-name", name);
    }
    const partial = issuing.issue("x", { names: ["DNS:bs*.example.com"] });
    assert.equal(meet(partial, anchor(), "bs1.example.com"), "closed certificate-wrong-name");
  });

  test("has its name in the common name only if it has no DNS name (RFC 6125 section 6.4.4)", () => {
    const { issuing } = testPki();
    assert.equal(meet(issuing.issue("bs.example.com"), anchor(), "bs.example.com"), "secured");
    const other = issuing.issue("bs.example.com", { names: ["DNS:other.example.com"] });
    assert.equal(meet(other, anchor(), "bs.example.com"), "closed certificate-wrong-name");
  });

  test("may be from a CA that is not a root, if just that one is trusted", () => {
    const { server, issuing } = testPki();
    assert.equal(meet(server, { ca: issuing.certificate }, "bs.example.com"), "secured");
  });

  test("is not taken from another CA, out of date, or made for clients", () => {
    const { server, issuing } = testPki();
    const names = ["DNS:bs.example.com"];
    const stranger = TestCa.root("Stranger").certificate;
    assert.equal(meet(server, { ca: stranger }, "bs.example.com"), "closed certificate-untrusted");
    const old = issuing.issue("bs", { names, until: new Date(START - DAY) });
    assert.equal(meet(old, anchor(), "bs.example.com"), "closed certificate-expired");
    assert.equal(meet(old, anchor(), "bs.example.com", { wallClock: () => START - 2 * DAY }), "secured");
    const forClients = issuing.issue("bs", { names, usage: "clientAuth" });
    assert.equal(meet(forClients, anchor(), "bs.example.com"), "closed certificate-invalid");
  });

  test("comes with the chain the server was given, and not with what it has in its own list", () => {
    const { server, root, issuing, device } = testPki();
    const own = { certificate: server.certificate, privateKey: server.privateKey };
    const world = new World({ x509: { ...own, clientCa: root.certificate + issuing.certificate } });
    const client = world.connected(1, { credential: x509Credential(device("dev-1")), serverName: "bs.example.com" });
    assert.deepEqual(client.log, ["closed certificate-untrusted"]);
    world.free();
  });

  test("cannot be judged without a name", () => {
    assert.throws(() => meet(testPki().server, anchor()), { code: "invalid-input", message: /^serverName: / });
  });

  test("may come with an authority as DER, as LwM2M's /0/x/4 has it", () => {
    const { server, root } = testPki();
    assert.equal(meet(server, { ca: root.self.der }, "bs.example.com"), "secured");
  });
});

describe("a server's certificate that the client has pinned", { skip: noCertificates }, () => {
  test("is taken for any name, and none, and whatever its dates (RFC 7671 section 5.1)", () => {
    const { server } = testPki();
    const pinned: ServerTrust = { serverCertificate: server.der };
    assert.equal(meet(server, pinned), "secured");
    assert.equal(meet(server, pinned, "other.example.com"), "secured");
    const old = TestCa.selfSigned("old", { until: new Date(START - DAY) });
    assert.equal(meet(old, { serverCertificate: old.der }), "secured");
    assert.equal(meet(server, { serverCertificate: server.certificate }), "secured");
  });

  test("lets no other one pass, also of the same CA and name", () => {
    const { server, issuing } = testPki();
    const twin = issuing.issue("bs.example.com", { names: ["DNS:bs.example.com"], usage: "serverAuth" });
    assert.equal(meet(twin, { serverCertificate: server.der }, "bs.example.com"), "closed certificate-untrusted");
    assert.equal(meet(server, { serverCertificate: testPki().root.self.der }), "closed certificate-untrusted");
  });
});

describe("a client's certificate and key", { skip: noCertificates }, () => {
  test("may be DER, as LwM2M's /0/x/3 and /0/x/5 have them", () => {
    const { server, issuing, device } = testPki();
    const key = Buffer.from(device("dev-1").privateKey.replaceAll(/-----.*-----|\s/g, ""), "base64");
    const world = new World({
      x509: { certificate: server.chain, privateKey: server.privateKey, clientCa: issuing.certificate },
    });
    const trust = { serverCertificate: server.der };
    const credential = { mode: "x509", certificate: device("dev-1").der, privateKey: key, trust } as const;
    assert.deepEqual(world.connected(1, { credential }).log, ["secured"]);
    world.free();
  });
});
