import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { describe, test } from "node:test";
import { describeTree, type FactorySettings, factoryTree, type ObjectTree } from "../../src/device/index.ts";
import type { ServerX509 } from "../../src/dtls/index.ts";
import { utf8 } from "../../src/lib/bytes.ts";
import { objectInstance, resourceValue, single } from "../../src/lwm2m/index.ts";
import { temporaryUri } from "../../src/naming/index.ts";
import { type Issued, makeKey, noCertificates, TestCa, testPki } from "../support/certificates.ts";
import { needsCurrentNode, rawPublicKeysMissing, runInCurrentNode } from "../support/tools.ts";
import { BERTH_1, ENDPOINT, HERE, type Story, start, URI } from "./client-fixture.ts";
import { FACTORY, pathsOf } from "./operation-fixture.ts";
import { FINISH, GOOD_SCRIPT, PSK, ScriptedServer, write } from "./scripted-server.ts";
import { World } from "./world.ts";

const MINUTE = 60_000;
const NAME = "bs.example.com";
const SECRET = utf8("what its names are made of");

const opaque = (tree: ObjectTree, id: number): Uint8Array | undefined => {
  const account = tree.get(0, 0);
  return account && resourceValue(account, id, "opaque");
};

/** What became of a device whose factory wrote this, at a server at its static URI. */
async function bootstrap(
  settings: Omit<FactorySettings, "uri">,
  secure: ConstructorParameters<typeof ScriptedServer>[2],
): Promise<Story & { scripted: ScriptedServer }> {
  const world = new World();
  const scripted = new ScriptedServer(world, HERE, secure);
  world.names.set(NAME, { ipv4: [HERE.address], ipv6: [] });
  const tree = factoryTree({ uri: URI, ...settings });
  const story = start(world, { recipe: "none", tree, maxAttempts: 1, limits: { silence: 20_000 } });
  assert.ok(await world.run(() => story.closed, 5 * MINUTE));
  return Object.assign(story, { scripted });
}

describe("a device with a certificate", { skip: noCertificates }, () => {
  const { root, issuing, device } = noCertificates ? ({} as ReturnType<typeof testPki>) : testPki();
  const here: Issued = noCertificates ? ({} as Issued) : issuing.issue(NAME, { names: [`DNS:${NAME}`] });
  const own: Issued = noCertificates ? ({} as Issued) : device(ENDPOINT);
  const x509: ServerX509 = noCertificates
    ? ({} as ServerX509)
    : { certificate: here.chain, privateKey: here.privateKey, clientCa: root.certificate };
  const settings = { certificate: own.chain, key: own.privateKey };
  const trusting = { x509: { ...settings, ca: root?.certificate } };

  test("has it in /0/x/3, its chain behind it, its key in /0/x/5, and the server's or a CA's in /0/x/4, all DER", () => {
    const tree = factoryTree({ uri: URI, ...trusting });
    assert.deepEqual(opaque(tree, 3), new Uint8Array(Buffer.concat([own.der, new X509Certificate(issuing.certificate).raw])));
    assert.deepEqual(opaque(tree, 4), new Uint8Array(new X509Certificate(root.certificate).raw));
    assert.equal(describeTree(tree)["/0/0/2"], 2);
    assert.equal(describeTree(tree)["/0/0/15"], 2, "certificate usage: trust anchor");
    const pinned = factoryTree({ uri: URI, x509: { ...settings, serverCertificate: here.certificate } });
    assert.deepEqual([opaque(pinned, 4), describeTree(pinned)["/0/0/15"]], [new Uint8Array(here.der), 3]);
  });

  test("takes DER as well as PEM", () => {
    const pem = factoryTree({
      uri: URI,
      x509: { certificate: own.certificate, key: own.privateKey, serverCertificate: here.certificate },
    });
    const key = opaque(pem, 5);
    assert.ok(key !== undefined);
    const der = factoryTree({ uri: URI, x509: { certificate: own.der, key, serverCertificate: here.der } });
    assert.deepEqual(describeTree(der), describeTree(pem));
    assert.deepEqual(
      [3, 4, 5].map((id) => opaque(der, id)),
      [3, 4, 5].map((id) => opaque(pem, id)),
    );
  });

  test("bootstraps, trusting the CA of the server or the server's own certificate", async () => {
    for (const trust of [{ ca: root.certificate }, { serverCertificate: here.certificate }]) {
      const { result, scripted } = await bootstrap({ x509: { ...settings, ...trust } }, { x509 });
      assert.ok(result !== undefined);
      assert.deepEqual([scripted.finished, scripted.serverNames], [[ENDPOINT], [NAME]], "and sends SNI");
    }
  });

  test("has nothing to do with a server it has no reason to trust", async () => {
    const stranger = TestCa.root("Somebody");
    const other = issuing.issue("other.example.com", { names: ["DNS:other.example.com"] });
    const expired = issuing.issue(NAME, { names: [`DNS:${NAME}`], until: new Date(Date.UTC(2025, 0)) });
    for (const [shown, trust] of [
      [stranger.issue(NAME, { names: [`DNS:${NAME}`] }), { ca: root.certificate }],
      [other, { ca: root.certificate }],
      [other, { serverCertificate: here.certificate }],
      [expired, { ca: root.certificate }],
    ] as const) {
      const wrong = { x509: { ...x509, certificate: shown.chain, privateKey: shown.privateKey } };
      const { result, failures, scripted } = await bootstrap({ x509: { ...settings, ...trust } }, wrong);
      assert.deepEqual([result, failures[0]?.cause, scripted.requests], [undefined, "handshake-failed", []]);
    }
  });

  test("is told so before its first attempt when key and certificate do not belong together", () => {
    const other = makeKey();
    assert.throws(() => factoryTree({ uri: URI, x509: { ...trusting.x509, key: other.privateKey } }), {
      code: "no-bootstrap-account",
      message: "/0/0/5: the private key is not that of the certificate in /0/0/3",
    });
  });

  test("is told which of its settings is wrong", () => {
    const given =
      (changes: object): (() => ObjectTree) =>
      () =>
        factoryTree({ uri: URI, x509: { ...trusting.x509, ...changes } });
    assert.throws(given({ certificate: own.privateKey }), /x509\.certificate: holds no certificate in PEM/);
    assert.throws(given({ key: own.certificate }), /x509\.key: is no private key/);
    assert.throws(given({ certificate: utf8("nonsense") }), /\/0\/0\/3: is no DER of a certificate/);
    assert.throws(given({ ca: utf8("nonsense") }), /\/0\/0\/4: is no DER of a certificate/);
    assert.throws(given({ serverCertificate: here.certificate }), /give serverCertificate or ca, and not both/);
    assert.throws(
      given({ ca: root.certificate + issuing.certificate }),
      /x509\.ca: holds 2 certificates; a device has room for one/,
    );
    assert.throws(given({ ca: undefined }), /give serverCertificate or ca/);
    assert.throws(() => factoryTree({ uri: URI, psk: PSK, ...trusting }), /a device has one credential/);
  });

  test("certificate usages and matching types that need what the device has not are refused (/0/x/13, /0/x/15)", () => {
    const account = factoryTree({ uri: URI, ...trusting }).get(0, 0);
    assert.ok(account !== undefined);
    for (const [id, value, why] of [
      [15, 0, /\/0\/0\/15: certificate usage 0 needs a trust store/],
      [15, 1, /\/0\/0\/15: certificate usage 1 needs a trust store/],
      [13, 1, /\/0\/0\/13: matching type 1 is not supported/],
    ] as const) {
      const tree = FACTORY.with(objectInstance(0, 0, [...account.resources.values(), single(id, { type: "unsigned", value })]));
      assert.throws(() => start(new World(), { recipe: "none", tree }), why);
    }
  });

  test("makes its names of a secret of its own", async () => {
    const world = new World();
    const scripted = new ScriptedServer(world, HERE, { x509: { ...x509 } });
    const host = temporaryUri(BERTH_1, URI, { secret: SECRET, endpoint: ENDPOINT, instant: world.epoch }).host;
    world.names.set(host, { ipv4: [HERE.address], ipv6: [] });
    const tree = factoryTree({
      uri: URI,
      recipe: BERTH_1,
      secret: SECRET,
      x509: { ...settings, serverCertificate: here.certificate },
    });
    const story = start(world, { recipe: "none", tree });
    assert.ok(await world.run(() => story.closed, MINUTE));
    assert.deepEqual([story.result?.kind, scripted.serverNames], ["own", [host]]);
    assert.throws(
      () => start(world, { tree: factoryTree({ uri: URI, ...trusting }) }),
      /mode x509 names need a secret of their own/,
    );
  });

  test("can be made of one with a pre-shared key, in one bootstrap (BS-18)", async () => {
    const world = new World();
    const scripted = new ScriptedServer(world, HERE, { x509 });
    world.names.set(NAME, { ipv4: [HERE.address], ipv6: [] });
    const [account] = factoryTree({ uri: URI, ...trusting }).instances(0);
    assert.ok(account !== undefined);
    scripted.script = [...GOOD_SCRIPT.slice(0, -1), write(account), FINISH];
    const first = start(world, { recipe: "none" });
    assert.ok(await world.run(() => first.closed, MINUTE));
    scripted.script = GOOD_SCRIPT;
    const second = start(world, { recipe: "none", tree: first.client.tree });
    assert.ok(await world.run(() => second.closed, MINUTE));
    assert.deepEqual([scripted.finished.length, second.result?.number], [2, 1]);
    assert.deepEqual(pathsOf(second.client.tree), ["/0/0", "/0/1", "/1/0", "/3/0"]);
  });
});

describe("a device with a raw public key", () => {
  const [own, here] = [makeKey(), makeKey()];
  const rpk = { key: own.privateKey, serverPublicKey: here.publicKey };
  const tooOld = rawPublicKeysMissing() !== false;

  test("has it in /0/x/3, made of its private key in /0/x/5, and the server's in /0/x/4", () => {
    const tree = factoryTree({ uri: URI, rpk });
    assert.deepEqual([opaque(tree, 3), opaque(tree, 4)], [new Uint8Array(own.spki), new Uint8Array(here.spki)]);
    assert.equal(describeTree(tree)["/0/0/2"], 1);
    const key = opaque(tree, 5);
    assert.ok(key !== undefined);
    assert.deepEqual(describeTree(factoryTree({ uri: URI, rpk: { key, serverPublicKey: here.spki } })), describeTree(tree));
  });

  test("is told which of its keys is wrong", () => {
    const tree = factoryTree({ uri: URI, rpk });
    const account = tree.get(0, 0);
    assert.ok(account !== undefined);
    for (const [id, value, why] of [
      [3, makeKey().spki, /\/0\/0\/5: the private key is not that of the public key in \/0\/0\/3/],
      [4, utf8("nonsense"), /\/0\/0\/4: is no DER of a public key/],
      [5, utf8("nonsense"), /\/0\/0\/5: is no DER of a private key/],
      [5, new Uint8Array(), /\/0\/0\/5: security mode 1 needs the private key/],
    ] as const) {
      const wrong = objectInstance(0, 0, [...account.resources.values(), single(id, { type: "opaque", value })]);
      assert.throws(() => start(new World(), { recipe: "none", tree: tree.with(wrong) }), {
        code: "no-bootstrap-account",
        message: why,
      });
    }
    assert.throws(
      () => factoryTree({ uri: URI, rpk: { ...rpk, serverPublicKey: "nonsense" } }),
      /rpk\.serverPublicKey: is no public key/,
    );
    assert.throws(() => factoryTree({ uri: URI, rpk: { ...rpk, key: own.publicKey } }), /rpk\.key: is no private key/);
  });

  test("makes its names of its public key, as the balancer does (N7)", () => {
    const world = new World();
    const story = start(world, { tree: factoryTree({ uri: URI, rpk }) });
    story.client.stop();
    const host = temporaryUri(BERTH_1, URI, { secret: own.spki, endpoint: ENDPOINT, instant: world.epoch }).host;
    assert.equal(world.asked[0], host);
  });

  const bootstraps = async (): Promise<void> => {
    const good = await bootstrap({ rpk }, { rawPublicKey: { privateKey: here.privateKey } });
    assert.deepEqual(good.scripted.finished, [ENDPOINT]);
    const bad = await bootstrap({ rpk }, { rawPublicKey: { privateKey: makeKey().privateKey } });
    assert.deepEqual([bad.failures[0]?.cause, bad.scripted.requests], ["handshake-failed", []]);
  };
  if (!tooOld) test("bootstraps with a server that has the key it expects, and with no other", bootstraps);
  else {
    test("bootstraps in a current Node", { skip: needsCurrentNode(), timeout: 120_000 }, () => {
      assert.match(runInCurrentNode(import.meta.url), /ok \d+ - bootstraps with a server that has the key it expects/);
    });

    test("is told what to do where OpenSSL is too old for it", async () => {
      const { error } = await bootstrap({ rpk }, true);
      assert.match(String(error), /raw public keys need OpenSSL 3\.2, and this is .*; use Node 24 or later/);
    });
  }
});

test("a device without security has no credential, and one with coaps: needs one", () => {
  assert.equal(describeTree(factoryTree({ uri: "coap://bs.example.com" }))["/0/0/2"], 3);
  assert.throws(() => factoryTree({ uri: URI }), {
    code: "no-bootstrap-account",
    message: "/0/0/3: security mode 0 needs the PSK identity",
  });
});
