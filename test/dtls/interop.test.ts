import assert from "node:assert/strict";
import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from "node:child_process";
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { after, describe, test } from "node:test";
import { CIPHER_SUITES, type CipherSuite, DtlsClient, DtlsServer, loadOpenSsl } from "../../src/dtls/index.ts";
import { credential, KEY, PSK_SUITES } from "./harness.ts";

const CHANGE_CIPHER_SPEC = 20;
const HEX = Buffer.from(KEY).toString("hex");
const missing =
  spawnSync("openssl", ["version"]).status === 0
    ? false
    : "no openssl command; install it with: apt install openssl (brew install openssl@3)";

async function socket(): Promise<Socket> {
  const opened = createSocket("udp4");
  opened.bind(0, "127.0.0.1");
  await once(opened, "listening");
  return opened;
}

/** Waits until `done` says so, or ten seconds. */
async function until(done: () => boolean, what: () => string): Promise<void> {
  const end = Date.now() + 10_000;
  while (!done()) {
    if (Date.now() > end) assert.fail(`waited in vain: ${what()}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

describe("openssl s_client and our server", { skip: missing }, () => {
  const log: string[] = [];
  const children: ChildProcessWithoutNullStreams[] = [];
  let bound: Socket | undefined;
  let timer: NodeJS.Timeout | undefined;
  let server: DtlsServer | undefined;

  after(() => {
    for (const child of children) child.kill();
    clearInterval(timer);
    server?.free();
    bound?.close();
  });

  async function start(): Promise<number> {
    if (bound !== undefined) return bound.address().port;
    const opened = await socket();
    const made = new DtlsServer(
      loadOpenSsl(),
      {
        cookieSecret: Buffer.alloc(32, 1),
        lookupPsk: async (identity, { serverName }) => {
          log.push(`lookup ${Buffer.from(identity)} ${serverName}`);
          await new Promise((resolve) => setTimeout(resolve, 5));
          return `${Buffer.from(identity)}` === "stranger" ? undefined : KEY;
        },
      },
      {
        send: (peer, datagram) => opened.send(datagram, peer.port, peer.address),
        secured: (association) => log.push(`secured ${association.cipherSuite}`),
        message: (association, bytes) => {
          association.send(Buffer.from(`you said ${Buffer.from(bytes)}`), Date.now());
        },
        closed: (_association, reason) => log.push(`closed ${reason}`),
      },
    );
    opened.on("message", (datagram, { address, port }) => {
      made.receive({ key: `${address}:${port}`, address, port }, datagram, Date.now());
    });
    timer = setInterval(() => made.tick(Date.now()), 50);
    bound = opened;
    server = made;
    return opened.address().port;
  }

  async function client(...options: string[]): Promise<{ child: ChildProcessWithoutNullStreams; said: () => string }> {
    const port = await start();
    log.length = 0;
    const connect = ["s_client", "-dtls1_2", "-connect", `127.0.0.1:${port}`, "-servername", "bs486.example.com"];
    const child = spawn("openssl", [...connect, ...options]);
    children.push(child);
    let said = "";
    child.stdout.on("data", (text) => {
      said += text;
    });
    child.stderr.on("data", (text) => {
      said += text;
    });
    return { child, said: () => said };
  }

  for (const suite of PSK_SUITES) {
    test(`shake hands with ${suite}, and say close_notify`, async () => {
      const cipher = `${CIPHER_SUITES[suite].openssl}:@SECLEVEL=0`;
      const { child, said } = await client("-psk", HEX, "-psk_identity", "device-1", "-cipher", cipher);
      await until(() => said().includes("Verify return code"), said);
      child.stdin.write("ping\n");
      await until(() => said().includes("you said ping"), said);
      assert.match(said(), /Extended master secret: yes/);
      assert.match(said(), /Reused|New, /);
      child.stdin.write("Q\n");
      await until(
        () => log.length === 3,
        () => log.join(),
      );
      assert.deepEqual(log, ["lookup device-1 bs486.example.com", `secured ${suite}`, "closed closed-by-peer"]);
    });
  }

  test("with the wrong key get nowhere", async () => {
    const { child, said } = await client(
      "-psk",
      "ff".repeat(16),
      "-psk_identity",
      "device-1",
      "-cipher",
      "PSK-AES128-CCM8:@SECLEVEL=0",
    );
    await until(
      () => log.includes("closed wrong-key"),
      () => log.join(),
    );
    assert.doesNotMatch(said(), /Verify return code/);
    child.kill();
  });

  test("with an unknown identity get nowhere, and are not told", async () => {
    const { child, said } = await client("-psk", HEX, "-psk_identity", "stranger", "-cipher", "PSK-AES128-CCM8:@SECLEVEL=0");
    await until(
      () => log.includes("closed unknown-identity"),
      () => log.join(),
    );
    assert.doesNotMatch(said(), /alert/);
    child.kill();
  });
});

describe("our client and openssl s_server", { skip: missing }, () => {
  const cases: [string, CipherSuite, boolean][] = PSK_SUITES.map((suite) => [suite, suite, false]);
  // Only a Finished that is encrypted anew makes a foreign server repeat its own: this takes the second the real clock wants.
  cases.push(["the server's Finished lost once", "TLS_PSK_WITH_AES_128_CCM_8", true]);
  for (const [what, suite, lossy] of cases) {
    test(`shake hands with ${what}`, async () => {
      let lost = !lossy;
      const opened = await socket();
      const probe = await socket();
      const { port } = probe.address();
      probe.close();
      const cipher = `${CIPHER_SUITES[suite].openssl}:@SECLEVEL=0`;
      const accept = ["s_server", "-dtls1_2", "-accept", `127.0.0.1:${port}`, "-listen", "-nocert"];
      const child = spawn("openssl", [...accept, "-psk", HEX, "-psk_identity", "device-1", "-cipher", cipher]);
      let said = "";
      child.stdout.on("data", (text) => {
        said += text;
      });
      child.stderr.on("data", (text) => {
        said += text;
      });
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
        await until(
          () => said.includes("ACCEPT"),
          () => said,
        );
        client.connect(Date.now());
        await until(
          () => said.includes("abc"),
          () => `${client.state}; ${said}`,
        );
        child.stdin.write("cba\n");
        await until(
          () => log.length > 0,
          () => said,
        );
        assert.doesNotMatch(said, /DONE/);
        client.close(Date.now());
        await until(
          () => said.includes("DONE"),
          () => said,
        );
        assert.deepEqual(log, ["cba", "closed closed"]);
      } finally {
        clearInterval(timer);
        child.kill();
        client.close(Date.now());
        opened.close();
      }
    });
  }
});
