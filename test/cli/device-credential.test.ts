import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { DtlsServerOptions } from "../../src/dtls/index.ts";
import { utf8 } from "../../src/lib/bytes.ts";
import { encodeContent } from "../../src/lwm2m/index.ts";
import { openScripted } from "../device/on-sockets.ts";
import { type ScriptedServer, security, server } from "../device/scripted-server.ts";
import { makeKey, noCertificates, testPki } from "../support/certificates.ts";
import { berth, berthMany, type Ended } from "../support/program.ts";

/* `berth device` with each kind of credential, and what it says of flags that do not go together. */

let folder = "";
const at = (name: string): string => join(folder, name);
const DEVICE = ["device", "--endpoint", "urn:dev:1", "--attempts", "1"];

before(() => {
  folder = mkdtempSync(join(tmpdir(), "berth-credential-"));
});
after(() => rmSync(folder, { recursive: true, force: true }));

/** Runs `use` with a scripted server on loopback. */
async function withServer<T>(
  secure: boolean | Partial<DtlsServerOptions>,
  use: (scripted: ScriptedServer, port: number) => Promise<T>,
): Promise<T> {
  const { scripted, port, close } = await openScripted({ secure });
  try {
    return await use(scripted, port);
  } finally {
    await close();
  }
}

describe("with a certificate", { skip: noCertificates }, () => {
  before(() => {
    const { root, issuing, device, server: shown } = testPki();
    const own = device("urn:dev:1");
    writeFileSync(at("device.pem"), own.chain);
    writeFileSync(at("device.key"), own.privateKey);
    writeFileSync(at("other.key"), makeKey().privateKey);
    writeFileSync(at("ca.pem"), root.certificate);
    writeFileSync(at("server.pem"), shown.certificate);
    writeFileSync(at("issuing.pem"), issuing.certificate);
  });
  const own = (): string[] => ["--certificate", at("device.pem"), "--key", at("device.key")];

  test("a device bootstraps, trusting a CA or the server's certificate, and prints its tree without the key", async () => {
    const { root, server: shown } = testPki();
    const x509 = { certificate: shown.chain, privateKey: shown.privateKey, clientCa: root.certificate };
    await withServer({ x509 }, async (scripted, port) => {
      for (const trust of [
        ["--ca", at("ca.pem")],
        ["--server-certificate", at("server.pem")],
      ]) {
        const { code, stdout, stderr } = await berth([...DEVICE, "--server", `coaps://127.0.0.1:${port}`, ...own(), ...trust]);
        assert.equal(code, 0, stderr);
        assert.match(stdout, /^\/0\/0\/2 = 2\n\/0\/0\/3 = \(\d+ bytes\)\n/m);
        assert.match(stdout, /^\/1\/0\/0 = 123$/m);
      }
      assert.equal(scripted.finished.length, 2);
    });
  });

  test("a wrong server costs the attempt, and the reason is told", async () => {
    const { root, issuing } = testPki();
    const other = issuing.issue("other.example.com", { names: ["DNS:other.example.com"] });
    const x509 = { certificate: other.chain, privateKey: other.privateKey, clientCa: root.certificate };
    await withServer({ x509 }, async (scripted, port) => {
      const args = [...DEVICE, "--server", `coaps://127.0.0.1:${port}`, ...own(), "--ca", at("ca.pem")];
      const { code, stderr } = await berth(args);
      assert.equal(code, 1);
      assert.match(stderr, /attempt 1 failed: handshake-failed \(certificate-[a-z-]+\)/);
      assert.deepEqual(scripted.requests, []);
    });
  });

  test("what does not go together is told in one line, with exit code 2", async () => {
    const coaps = [...DEVICE, "--server", "coaps://127.0.0.1:1"];
    const cases: readonly [readonly string[], RegExp][] = [
      [[], /--psk: coaps: needs the device's pre-shared key, its --certificate, or its --key/],
      [["--certificate", at("device.pem")], /--key: a certificate needs its private key/],
      [own(), /--server-certificate, --ca: give one of them, or the device trusts no server/],
      [
        [...own(), "--ca", at("ca.pem"), "--server-certificate", at("server.pem")],
        /--server-certificate, --ca: give one of them/,
      ],
      [[...own(), "--ca", at("ca.pem"), "--psk", "0011"], /--certificate: has no meaning with --psk/],
      [[...own(), "--ca", at("ca.pem"), "--identity", "a"], /--identity: has no meaning with --certificate/],
      [["--ca", at("ca.pem"), "--psk", "0011"], /--ca: has no meaning with --psk/],
      [["--ca", at("ca.pem")], /--ca: has no meaning without --certificate/],
      [
        ["--server-certificate", at("ca.pem"), "--key", at("device.key")],
        /--server-certificate: has no meaning with raw public keys/,
      ],
      [
        ["--certificate", at("device.pem"), "--key", at("other.key"), "--ca", at("ca.pem")],
        /--key: .*other\.key is not the key of the certificate/,
      ],
      [
        ["--certificate", at("device.key"), "--key", at("device.key"), "--ca", at("ca.pem")],
        /--certificate: .*device\.key holds no certificate in PEM/,
      ],
      [[...own(), "--ca", at("device.key")], /--ca: .*device\.key holds no certificate in PEM/],
      [[...own(), "--ca", at("no.pem")], /--ca: .*no\.pem: there is no such file/],
      [["--key", at("device.key")], /--key, --server-public-key: raw public keys need both/],
      [["--server-public-key", at("ca.pem")], /--key, --server-public-key: raw public keys need both/],
      [["--key", at("ca.pem"), "--server-public-key", at("ca.pem")], /--key: .*ca\.pem holds no private key in PEM/],
      [["--psk", "0011", "--psk-file", at("ca.pem")], /give --psk or --psk-file, not both/],
      [["--psk", "0011", "--pack", "--lwm2m", "1.1"], /pack: LwM2M 1\.1 has no Bootstrap-Pack, 1\.2 has/],
      [["--psk", "0011", "--lwm2m", "2.0"], /Allowed choices are 1\.0, 1\.1, 1\.2/],
      [["--psk", "0011", "--objects", at("none")], /objects: .*none: there is no such folder/],
    ];
    const results: Ended[] = await berthMany(cases.map(([args]) => [...coaps, ...args]));
    for (const [index, [args, says]] of cases.entries()) {
      const { code, stdout, stderr } = results[index] ?? { code: null, stdout: "", stderr: "" };
      assert.match(stderr, says, args.join(" "));
      assert.match(stderr, /^berth: [^\n]*\n$/);
      assert.deepEqual([code, stdout], [2, ""], args.join(" "));
    }
  });
});

test("--pack asks for a Pack, as LwM2M 1.2 does; --no-pack does not; Discover tells the version", async () => {
  await withServer(false, async (scripted, port) => {
    const payload = encodeContent(112, [], [security(123), server(123)]);
    scripted.answer = ({ path }) => (path.at(-1) === "bspack" ? { code: "2.05", contentFormat: 112, payload } : { code: "2.04" });
    const discover = { method: "GET", path: ["1"], accept: 40 } as const;
    scripted.script = [discover, ...scripted.script];
    const args = [...DEVICE, "--server", `coap://127.0.0.1:${port}`];
    for (const flags of [["--pack"], ["--lwm2m", "1.2"], ["--lwm2m", "1.2", "--no-pack"], [], ["--lwm2m", "1.0"]]) {
      const { code, stderr } = await berth([...args, ...flags]);
      assert.equal(code, 0, stderr);
    }
    assert.deepEqual(
      scripted.requests.map(({ path, query }) => `${path.join("/")} ${query.slice(1).join("&")}`.trimEnd()),
      ["bspack acc=</0/0>", "bspack acc=</0/0>", "bs pct=112", "bs pct=112", "bs"],
    );
    const told = scripted.results.flatMap((result) =>
      "response" in result && result.response.contentFormat === 40 ? [Buffer.from(result.response.payload).toString()] : [],
    );
    assert.deepEqual(
      told.map((text) => text.slice(0, 16)),
      ["</>;lwm2m=1.2,</", "</>;lwm2m=1.1,</", 'lwm2m="1.0",</1>'],
    );
  });
});

test("--objects gives the device objects by their OMA XML", async () => {
  await withServer(false, async (scripted, port) => {
    writeFileSync(
      at("3303.xml"),
      `<LWM2M><Object ObjectType="MODefinition"><Name>Temperature</Name><ObjectID>3303</ObjectID><ObjectVersion>1.0</ObjectVersion>
      <LWM2MVersion>1.0</LWM2MVersion><MultipleInstances>Multiple</MultipleInstances><Mandatory>Optional</Mandatory><Resources>
      <Item ID="5701"><Name>Sensor Units</Name><Operations>R</Operations><MultipleInstances>Single</MultipleInstances>
      <Mandatory>Optional</Mandatory><Type>String</Type></Item></Resources></Object></LWM2M>`,
    );
    const text = { method: "PUT", path: ["3303", "0", "5701"], contentFormat: 0, payload: utf8("Cel") } as const;
    scripted.script = [text, ...scripted.script.slice(1)];
    const args = [...DEVICE, "--server", `coap://127.0.0.1:${port}`];
    const { stdout } = await berth([...args, "--objects", folder]);
    assert.match(stdout, /^\/3303\/0\/5701 = Cel$/m);
  });
});
