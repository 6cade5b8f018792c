import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { CIPHER_SUITES, type CipherSuite, DtlsClient, loadOpenSsl } from "../../src/dtls/index.ts";
import { needs } from "../support/tools.ts";
import { until } from "../support/until.ts";
import { credential, KEY, PSK_SUITES } from "./harness.ts";
import { freeUdpPort, openSocket, Program, SocketServer } from "./on-sockets.ts";

const CHANGE_CIPHER_SPEC = 20;
const HEX = Buffer.from(KEY).toString("hex");
const skip = needs("openssl", "openssl");

describe("openssl s_client and our server", { skip }, () => {
  const programs: Program[] = [];
  let server: SocketServer | undefined;
  let lookups: string[] = [];

  after(() => {
    for (const program of programs) program.kill();
    server?.close();
  });

  async function client(...options: string[]): Promise<{ program: Program; server: SocketServer }> {
    server ??= await SocketServer.open(
      {
        lookupPsk: async (identity, { serverName }) => {
          lookups.push(`lookup ${Buffer.from(identity)} ${serverName}`);
          await new Promise((resolve) => setTimeout(resolve, 5));
          return `${Buffer.from(identity)}` === "stranger" ? undefined : KEY;
        },
      },
      (message) => Buffer.from(`you said ${message}`),
    );
    server.log.length = 0;
    lookups = [];
    const connect = ["s_client", "-dtls1_2", "-connect", `127.0.0.1:${server.port}`, "-servername", "bs486.example.com"];
    const program = new Program("openssl", [...connect, ...options]);
    programs.push(program);
    return { program, server };
  }

  for (const suite of PSK_SUITES) {
    test(`shake hands with ${suite}, and say close_notify`, async () => {
      const cipher = `${CIPHER_SUITES[suite].openssl}:@SECLEVEL=0`;
      const { program, server } = await client("-psk", HEX, "-psk_identity", "device-1", "-cipher", cipher);
      await program.says("Verify return code");
      program.child.stdin.write("ping\n");
      await program.says("you said ping");
      assert.match(program.said, /Extended master secret: yes/);
      assert.match(program.said, /Reused|New, /);
      program.child.stdin.write("Q\n");
      await server.logs("closed closed-by-peer");
      assert.deepEqual(lookups, ["lookup device-1 bs486.example.com"]);
      assert.deepEqual(server.log, [`secured ${suite}`, "closed closed-by-peer"]);
    });
  }

  test("with the wrong key get nowhere", async () => {
    const cipher = "PSK-AES128-CCM8:@SECLEVEL=0";
    const { program, server } = await client("-psk", "ff".repeat(16), "-psk_identity", "device-1", "-cipher", cipher);
    await server.logs("closed wrong-key");
    assert.doesNotMatch(program.said, /Verify return code/);
  });

  test("with an unknown identity get nowhere, and are not told", async () => {
    const cipher = "PSK-AES128-CCM8:@SECLEVEL=0";
    const { program, server } = await client("-psk", HEX, "-psk_identity", "stranger", "-cipher", cipher);
    await server.logs("closed unknown-identity");
    assert.doesNotMatch(program.said, /alert/);
  });
});

describe("our client and openssl s_server", { skip }, () => {
  const cases: [string, CipherSuite, boolean][] = PSK_SUITES.map((suite) => [suite, suite, false]);
  // Only a Finished that is encrypted anew makes a foreign server repeat its own: this takes the second the real clock wants.
  cases.push(["the server's Finished lost once", "TLS_PSK_WITH_AES_128_CCM_8", true]);
  for (const [what, suite, lossy] of cases) {
    test(`shake hands with ${what}`, async () => {
      let lost = !lossy;
      const opened = await openSocket();
      const port = await freeUdpPort();
      const cipher = `${CIPHER_SUITES[suite].openssl}:@SECLEVEL=0`;
      const accept = ["s_server", "-dtls1_2", "-accept", `127.0.0.1:${port}`, "-listen", "-nocert"];
      const program = new Program("openssl", [...accept, "-psk", HEX, "-psk_identity", "device-1", "-cipher", cipher]);
      const log: string[] = [];
      const client = new DtlsClient(
        loadOpenSsl(),
        { credential: credential("device-1"), serverName: "bs.example.com", cipherSuites: [suite] },
        {
          send: (datagram) => opened.send(datagram, port, "127.0.0.1"),
          secured: () => client.send(Buffer.from("abc\n"), Date.now()),
          message: (bytes) => log.push(`${Buffer.from(bytes)}`.trim()),
          closed: (reason) => log.push(`closed ${reason}`),
        },
      );
      opened.on("message", (datagram) => {
        if (lost || datagram[0] !== CHANGE_CIPHER_SPEC) client.receive(datagram, Date.now());
        else lost = true;
      });
      const timer = setInterval(() => client.tick(Date.now()), 50);
      try {
        await program.says("ACCEPT");
        client.connect(Date.now());
        await program.says("abc");
        program.child.stdin.write("cba\n");
        await until(() => log.length > 0, "its answer", 10);
        assert.doesNotMatch(program.said, /DONE/);
        client.close(Date.now());
        await program.says("DONE");
        assert.deepEqual(log, ["cba", "closed closed"]);
      } finally {
        clearInterval(timer);
        program.kill();
        client.close(Date.now());
        opened.close();
      }
    });
  }
});
