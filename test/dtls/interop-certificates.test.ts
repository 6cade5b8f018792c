import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { CIPHER_SUITES, DtlsClient, loadOpenSsl } from "../../src/dtls/index.ts";
import { type Issued, noCertificates, TestCa, testPki } from "../support/certificates.ts";
import { needs } from "../support/tools.ts";
import { until } from "../support/until.ts";
import { CERTIFICATE_SUITES, KEY, serverX509, x509Credential } from "./harness.ts";
import { content, freeUdpPort, openSocket, Program, SocketServer } from "./on-sockets.ts";

const YESTERDAY = new Date(Date.now() - 86_400_000);
const folder = mkdtempSync(join(tmpdir(), "berth-interop-"));
const programs: Program[] = [];
const servers: SocketServer[] = [];
after(() => {
  for (const program of programs) program.kill();
  for (const server of servers) server.close();
  rmSync(folder, { recursive: true, force: true });
});

let written = 0;

function fileOf(text: string): string {
  const path = join(folder, `${written++}.pem`);
  writeFileSync(path, text);
  return path;
}

/** The options by which openssl shows a certificate and what is above it. */
function showing({ certificate, chain, privateKey }: Issued): string[] {
  return ["-cert", fileOf(certificate), "-cert_chain", fileOf(chain), "-key", fileOf(privateKey)];
}

async function openServer(options: Parameters<typeof SocketServer.open>[0], reply = (message: Buffer) => message) {
  const server = await SocketServer.open({ lookupPsk: () => KEY, x509: serverX509(), ...options }, reply);
  servers.push(server);
  return server;
}

describe("openssl s_client with a certificate, and our server", { skip: noCertificates }, () => {
  function client(server: SocketServer, ...options: string[]): Program {
    const trust = ["-CAfile", fileOf(testPki().root.certificate), "-verify_return_error"];
    const connect = ["s_client", "-dtls1_2", "-connect", `127.0.0.1:${server.port}`, "-verify_hostname", "bs.example.com"];
    const program = new Program("openssl", [...connect, ...trust, ...options]);
    programs.push(program);
    return program;
  }

  for (const suite of CERTIFICATE_SUITES) {
    test(`shake hands with ${suite}, and say close_notify`, async () => {
      const { issuing, root, device } = testPki();
      const key = suite.includes("ECDSA") ? "P-256" : "RSA-2048";
      const own = issuing.issue("bs", { names: ["DNS:bs.example.com"], key });
      const server = await openServer({
        x509: { certificate: own.chain, privateKey: own.privateKey, clientCa: root.certificate },
      });
      const cipher = ["-cipher", `${CIPHER_SUITES[suite].openssl}:@SECLEVEL=0`];
      const program = client(server, ...cipher, ...showing(device("urn:dev:1")));
      await program.says("Verify return code: 0 (ok)");
      program.child.stdin.write("ping\n");
      await program.says("\nping");
      program.child.stdin.write("Q\n");
      await server.logs("closed closed-by-peer");
      assert.deepEqual(server.log, [`secured ${suite}`, "closed closed-by-peer"]);
      const [association] = server.secured;
      assert.ok(association?.credential?.mode === "x509");
      assert.equal(new X509Certificate(association.credential.certificate).subject, "CN=urn:dev:1");
    });
  }

  test("and one that is expired, revoked, of another CA, or none: the server says why, the client gets an alert", async () => {
    const root = TestCa.root("Interop Root");
    const issuing = root.intermediate("Interop CA");
    const revoked = issuing.issue("urn:dev:2");
    issuing.revoke(revoked.certificate);
    const x509 = { ...serverX509(), clientCa: root.certificate, crl: root.crl() + issuing.crl() };
    const server = await openServer({ x509 });
    const cases: [string, string[], RegExp][] = [
      ["certificate-expired", showing(issuing.issue("urn:dev:1", { until: YESTERDAY })), /alert certificate expired/],
      ["certificate-revoked", showing(revoked), /alert certificate revoked/],
      ["certificate-untrusted", showing(testPki().device("urn:dev:1")), /alert unknown ca/],
      ["certificate-missing", [], /alert handshake failure/],
    ];
    for (const [fault, options, alert] of cases) {
      const program = client(server, ...options);
      await server.logs(`closed ${fault}`);
      await program.says("alert");
      assert.match(program.said, alert);
    }
    const good = client(server, ...showing(issuing.issue("urn:dev:3")));
    await good.says("Verify return code: 0 (ok)");
  });

  test("that shows more certificates than anybody reads is turned away", async () => {
    const server = await openServer({});
    const { chain, ...device } = testPki().device("urn:dev:1");
    client(server, ...showing({ ...device, chain: chain + testPki().root.certificate.repeat(60) }));
    await server.logs("closed certificate-invalid");
  });

  test("and one with a PSK use the same server", async () => {
    const server = await openServer({});
    const psk = ["-psk", Buffer.from(KEY).toString("hex"), "-psk_identity", "device-1", "-cipher", "PSK-AES128-CCM8:@SECLEVEL=0"];
    const connect = ["s_client", "-dtls1_2", "-connect", `127.0.0.1:${server.port}`];
    programs.push(new Program("openssl", [...connect, ...psk]));
    await server.logs("secured TLS_PSK_WITH_AES_128_CCM_8");
    const identity = Uint8Array.from(Buffer.from("device-1"));
    assert.deepEqual(server.secured[0]?.credential, { mode: "psk", identity });
  });
});

describe("our client with a certificate, and openssl s_server", { skip: noCertificates }, () => {
  /** How it ends for our client, and what the server wrote. */
  async function meet(device: Issued, server: Issued): Promise<{ log: readonly string[]; said: string }> {
    const port = await freeUdpPort();
    const socket = await openSocket();
    const accept = ["s_server", "-dtls1_2", "-accept", `127.0.0.1:${port}`, "-listen", "-Verify", "3", "-verify_return_error"];
    const program = new Program("openssl", [...accept, ...showing(server), "-CAfile", fileOf(testPki().root.certificate)]);
    programs.push(program);
    const log: string[] = [];
    const client = new DtlsClient(
      loadOpenSsl(),
      { credential: x509Credential(device), serverName: "bs.example.com" },
      {
        send: (datagram) => socket.send(datagram, port, "127.0.0.1"),
        secured: () => {
          log.push(`secured ${client.cipherSuite}`);
          client.send(Buffer.from("abc\n"), Date.now());
        },
        message: () => {},
        closed: (reason) => log.push(`closed ${reason}`),
      },
    );
    socket.on("message", (datagram) => client.receive(datagram, Date.now()));
    const timer = setInterval(() => client.tick(Date.now()), 50);
    try {
      await program.says("ACCEPT");
      client.connect(Date.now());
      await until(() => log.length > 0, "an end of the handshake", 20);
      if (client.state === "secured") await program.says("abc");
    } finally {
      clearInterval(timer);
      client.close(Date.now());
      socket.close();
      program.kill();
    }
    return { log, said: program.said };
  }

  test("shake hands", async () => {
    const { log, said } = await meet(testPki().device("urn:dev:1"), testPki().server);
    assert.match(log[0] ?? "", /^secured TLS_ECDHE_ECDSA_WITH_AES_128_(GCM_SHA256|CCM_8)$/);
    assert.match(said, /CN = urn:dev:1/);
  });

  test("do not, if the server's is expired, for another name, or of another CA", async () => {
    const device = testPki().device("urn:dev:1");
    const { issuing } = testPki();
    const names = ["DNS:bs.example.com"];
    assert.deepEqual((await meet(device, issuing.issue("a", { names, until: YESTERDAY }))).log, ["closed certificate-expired"]);
    const other = issuing.issue("a", { names: ["DNS:other.example.com"] });
    assert.deepEqual((await meet(device, other)).log, ["closed certificate-wrong-name"]);
    const stranger = TestCa.root("Stranger").issue("a", { names });
    assert.deepEqual((await meet(device, stranger)).log, ["closed certificate-untrusted"]);
  });

  test("do not, if the client's is of another CA", async () => {
    const stranger = TestCa.root("Stranger").issue("urn:dev:1");
    assert.deepEqual((await meet(stranger, testPki().server)).log, ["closed alert"]);
  });
});

const COAP_CLIENT = "coap-client-openssl";
describe("libcoap with a certificate, and our server", { skip: noCertificates || needs(COAP_CLIENT, "libcoap3-bin") }, () => {
  test("gets its answer", async () => {
    const { root, issuing, device } = testPki();
    // It shows its own certificate only.
    const x509 = { ...serverX509(), clientCa: root.certificate + issuing.certificate };
    const server = await openServer({ x509 }, (request) => content(request, "configured"));
    const { certificate, privateKey } = device("urn:dev:1");
    const files = ["-c", fileOf(certificate), "-j", fileOf(privateKey), "-R", fileOf(root.certificate)];
    const program = new Program(COAP_CLIENT, ["-B", "10", ...files, `coaps://127.0.0.1:${server.port}/bs`]);
    programs.push(program);
    await program.says("configured");
    assert.match(server.log[0] ?? "", /^secured TLS_ECDHE_ECDSA_/);
  });
});
