import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { Assignment } from "../../src/control/index.ts";
import { noCertificates, testPki } from "../support/certificates.ts";
import { assignment } from "./lockstep.ts";
import { COAPS, openDevice, type Site, startSite } from "./site.ts";
import { pskOf, type UdpDevice } from "./udp-device.ts";

const OPTIONS = { skip: noCertificates, timeout: 60_000 };

/** A device that proves itself by certificate. */
function certified(endpoint: string): Assignment {
  const { psk: secret, ...rest } = assignment(endpoint);
  return { ...rest, mode: "x509", identity: endpoint, secret };
}

interface Pair {
  readonly certificate: string;
  readonly privateKey: string;
}

/** A device with a certificate that trusts the server of the test PKI. */
function deviceOf(site: Site, { certificate, privateKey }: Pair): Promise<UdpDevice> {
  const trust = { serverCertificate: testPki().server.certificate };
  return openDevice(site.instance, { credential: { mode: "x509", certificate, privateKey, trust } });
}

/** An instance whose devices have certificates of these CAs. */
function siteOf(endpoints: readonly string[], clientCa: string): Promise<Site> {
  const { chain: certificate, privateKey } = testPki().server;
  return startSite(endpoints.map(certified), [COAPS], { dtls: { x509: { certificate, privateKey, clientCa } } });
}

test("a device bootstraps with its certificate, with and without ep, and not as another device", OPTIONS, async () => {
  const { root, device } = testPki();
  const site = await siteOf(["urn:dev:1", "urn:dev:2"], root.certificate);
  const issued = device("urn:dev:1");
  const own = await deviceOf(site, { certificate: issued.chain, privateKey: issued.privateKey });
  await own.connect();
  assert.equal(await own.request("POST", ["bs"], ["ep=urn:dev:2"]), "4.00 Unauthorized");
  site.log.says(/request refused .*"identity":"urn:dev:1","endpoint":"urn:dev:2".*the certificate does not name the endpoint/);
  assert.equal(await own.request("POST", ["bs"], []), "2.04");
  await own.finished;
});

test("PSK and certificates go together on one listener, or PSK is left out", OPTIONS, async () => {
  const { root, server } = testPki();
  const x509 = { certificate: server.chain, privateKey: server.privateKey, clientCa: root.certificate };
  const both = await startSite([assignment("urn:dev:1")], [COAPS], { dtls: { x509 } });
  const own = await openDevice(both.instance, { credential: pskOf(assignment("urn:dev:1")) });
  assert.equal(await own.bootstrap("urn:dev:1"), "2.04");
  const certificatesOnly = await startSite([assignment("urn:dev:1")], [COAPS], { dtls: { x509, psk: false } });
  const refused = await openDevice(certificatesOnly.instance, { credential: pskOf(assignment("urn:dev:1")) });
  void refused.connect();
  await certificatesOnly.log.waitFor(/handshake failed .*no cipher suite in common/);
});

test("a device that is to have a certificate gets nowhere with a PSK identity of its name", OPTIONS, async () => {
  const site = await siteOf(["urn:dev:1"], testPki().root.certificate);
  const { psk } = assignment("urn:dev:1");
  const credential = { mode: "psk", identity: Buffer.from("urn:dev:1"), psk: Buffer.from(psk, "hex") } as const;
  const stranger = await openDevice(site.instance, { credential });
  void stranger.connect();
  await site.log.waitFor(/handshake refused .*"reason":"the device is to prove itself by x509, not by psk"/);
});

test("a certificate of nobody we know is refused, and the log says why", OPTIONS, async () => {
  const site = await siteOf(["urn:dev:1"], testPki().root.certificate);
  const stranger = await deviceOf(site, selfSigned(["CN=urn:dev:1"]));
  void stranger.connect();
  await site.log.waitFor(/handshake failed .*the certificate is of none of our CAs/);
});

test("other CAs, or a list of revoked certificates, count from the next handshake on; sessions go on", OPTIONS, async () => {
  const { root, issuing, server, device } = testPki();
  const site = await siteOf(["urn:dev:1", "urn:dev:3"], root.certificate);
  const x509 = { certificate: server.chain, privateKey: server.privateKey };
  const issued = device("urn:dev:1");
  const pair = { certificate: issued.chain, privateKey: issued.privateKey };
  const own = await deviceOf(site, pair);
  await own.connect();
  issuing.revoke(device("urn:dev:3").certificate);
  site.instance.replaceX509({ ...x509, clientCa: root.certificate, crl: root.crl() + issuing.crl() });
  const revoked = device("urn:dev:3");
  const later = await deviceOf(site, { certificate: revoked.chain, privateKey: revoked.privateKey });
  void later.connect();
  await site.log.waitFor(/handshake failed .*the certificate is revoked/);
  assert.equal(await own.request("POST", ["bs"], ["ep=urn:dev:1"]), "2.04", "the association of before");
  await own.finished;
});

test("a name is the attribute it is, whatever it looks like", OPTIONS, async () => {
  const cases: readonly { subject: string[]; names?: string[]; serves: string[]; not: string[] }[] = [
    { subject: ["CN=urn:dev:1", "O=urn:dev:2", "OU=urn:dev:3"], serves: ["urn:dev:1"], not: ["urn:dev:2", "urn:dev:3"] },
    { subject: ["CN=x\nCN=urn:dev:1"], serves: [], not: ["urn:dev:1", "x"] },
    { subject: ["O=x\nCN=urn:dev:1", "CN=urn:dev:2"], serves: ["urn:dev:2"], not: ["urn:dev:1"] },
    { subject: ["CN=urn:dev:1,urn:dev:2"], serves: ["urn:dev:1,urn:dev:2"], not: ["urn:dev:1", "urn:dev:2"] },
    // two CNs could be read in two ways
    { subject: ["CN=urn:dev:1", "CN=urn:dev:2"], serves: [], not: ["urn:dev:1", "urn:dev:2"] },
    { subject: ["CN=x1"], names: ["URI:urn:dev:1", "DNS:urn-dev-2"], serves: ["urn:dev:1", "urn-dev-2"], not: ["x1:1"] },
    // what is in a name of another kind, or looks like a further name, is none
    { subject: ["CN=x2"], names: ["email:urn:dev:1@example.com", "IP:192.0.2.1"], serves: [], not: ["urn:dev:1", "192.0.2.1"] },
    {
      subject: ["CN=x3"],
      names: ["URI:urn:dev:2, URI:urn:dev:1"],
      serves: ["urn:dev:2, URI:urn:dev:1"],
      not: ["urn:dev:1", "urn:dev:2"],
    },
    { subject: ["CN=x4"], names: ['URI:urn:dev:2", URI:urn:dev:1'], serves: [], not: ["urn:dev:1", "urn:dev:2"] },
    { subject: [], names: ["URI:urn:dev:1"], serves: ["urn:dev:1"], not: ["urn:dev:2"] },
  ];
  const pairs = cases.map(({ subject, names }) => selfSigned(subject, names));
  const site = await siteOf([], pairs.map(({ certificate }) => certificate).join(""));
  site.balancer.answer = ({ endpoint = "" }) => ({ assignment: certified(endpoint) });
  for (const [index, { serves, not }] of cases.entries()) {
    const pair = pairs[index];
    assert.ok(pair !== undefined);
    const own = await deviceOf(site, pair);
    await own.connect();
    for (const endpoint of not) {
      assert.equal(await own.request("POST", ["bs"], [`ep=${endpoint}`]), "4.00 Unauthorized", `case ${index}: ${endpoint}`);
    }
    for (const endpoint of serves) {
      assert.equal(await own.request("POST", ["bs"], [`ep=${endpoint}`]), "2.04", `case ${index}: ${endpoint}`);
    }
  }
});

/** A certificate that vouches for itself, with these attributes in its subject and these alternative names. */
function selfSigned(subject: readonly string[], names: readonly string[] = []): Pair {
  const folder = mkdtempSync(join(tmpdir(), "berth-names-"));
  try {
    const alternatives = names.map((name, index) => {
      const colon = name.indexOf(":");
      return `${name.slice(0, colon)}.${index} = ${quoted(name.slice(colon + 1))}`;
    });
    const extensions = `basicConstraints = CA:false\n${names.length === 0 ? "" : "subjectAltName = @alt"}`;
    const config = `[req]\ndistinguished_name = dn\nx509_extensions = ext\n[dn]\n[ext]\n${extensions}\n[alt]\n${alternatives.join("\n")}\n`;
    writeFileSync(join(folder, "cnf"), config);
    const run = spawnSync(
      "openssl",
      [
        ...["req", "-x509", "-utf8", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"],
        ...["-config", join(folder, "cnf"), "-keyout", join(folder, "key"), "-out", join(folder, "pem")],
        ...["-subj", subject.length === 0 ? "/" : subject.map((attribute) => `/${attribute}`).join("")],
      ],
      { encoding: "utf8" },
    );
    assert.equal(run.status, 0, run.stderr);
    return { certificate: readFileSync(join(folder, "pem"), "utf8"), privateKey: readFileSync(join(folder, "key"), "utf8") };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** A value in OpenSSL's configuration syntax. */
function quoted(value: string): string {
  return value.replaceAll(/["'\\]/g, "\\$&");
}
