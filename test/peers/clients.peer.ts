import assert from "node:assert/strict";
import { createPrivateKey } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, suite, test } from "node:test";
import { makeKey, TestCa } from "../support/certificates.ts";
import { hexOf, System } from "../support/system.ts";
import { rawPublicKeysMissing } from "../support/tools.ts";
import { until } from "../support/until.ts";
import { buildLeshan, leshan, noLeshan } from "./leshan.ts";
import { noWakaama, wakaama } from "./wakaama.ts";

const SERVER_KEY = "00112233445566778899aabbccddeeff";

const noRawKeys = rawPublicKeysMissing();

suite("clients of other projects", () => {
  const folder = mkdtempSync(join(tmpdir(), "berth-peers-"));
  const file = (name: string, content: string | Uint8Array): string => {
    writeFileSync(join(folder, name), content);
    return join(folder, name);
  };
  const ca = TestCa.root("Fleet");
  const instance = ca.issue("bs");
  const raw = makeKey();
  let system: System;
  before(async () => {
    const dtls = {
      certificate: file("bs.pem", instance.chain),
      key: file("bs.key", instance.privateKey),
      clientCa: file("ca.pem", ca.certificate),
    };
    if (noRawKeys === false) Object.assign(dtls, { rawPublicKey: file("raw.key", raw.privateKey) });
    system = await System.start({ instances: 1, devices: 2, yaml: `dtls: ${JSON.stringify(dtls)}\n` });
  });
  after(async () => {
    await system?.stop();
    rmSync(folder, { recursive: true });
  });

  const server = (): string => `coaps://${system.address("bs-1")}:${system.port}`;
  const device = (index: number): { endpoint: string; key: string } => {
    const found = system.devices[index];
    if (found === undefined) throw new Error(`no device ${index}`);
    return { endpoint: found.endpoint, key: hexOf(found) };
  };

  const completed = (endpoint: string): Promise<boolean> =>
    until(async () => (await system.device(endpoint)).state === "completed", `${endpoint} is completed`);

  test("Leshan's client ends with the server account, and keeps its bootstrap account", { skip: noLeshan }, async () => {
    await buildLeshan();
    const { endpoint, key } = device(0);
    const objects = await leshan(server(), endpoint, "psk", endpoint, key);
    assert.equal(objects.get("outcome"), "success");
    assert.equal(objects.get("/0/0/0"), server());
    assert.equal(objects.get("/0/0/1"), "true");
    assert.equal(objects.get("/0/1/0"), "coaps://lwm2m.example.com:5684");
    assert.equal(objects.get("/0/1/5"), SERVER_KEY);
    assert.equal(objects.get("/1/1/0"), "101");
    await completed(endpoint);
  });

  test("Leshan's client with a certificate", { skip: noLeshan }, async () => {
    await buildLeshan();
    const endpoint = "urn:peer:x509";
    const fleet = file("fleet.csv", `endpoint,mode,secret,server_key\n${endpoint},x509,${SERVER_KEY},${SERVER_KEY}\n`);
    assert.equal((await system.berth("import", fleet)).code, 0);
    const own = ca.issue(endpoint);
    const key = createPrivateKey(own.privateKey).export({ format: "der", type: "pkcs8" });
    const files = [file("own.der", own.der), file("own.key", key), file("bs.der", instance.der)];
    const objects = await leshan(server(), endpoint, "x509", ...files);
    assert.equal(objects.get("outcome"), "success");
    assert.equal(objects.get("/0/1/0"), "coaps://lwm2m.example.com:5684");
    await completed(endpoint);
  });

  test("Leshan's client with a raw public key", { skip: noLeshan || noRawKeys }, async () => {
    await buildLeshan();
    const endpoint = "urn:peer:rpk";
    const own = makeKey();
    const key = createPrivateKey(own.privateKey).export({ format: "der", type: "pkcs8" });
    const row = `${endpoint},rpk,${Buffer.from(own.spki).toString("hex")},${SERVER_KEY}`;
    const fleet = file("raw.csv", `endpoint,mode,public_key,server_key\n${row}\n`);
    assert.equal((await system.berth("import", fleet)).code, 0);
    const files = [file("raw.der", own.spki), file("raw.p8", key), file("bs-raw.der", raw.spki)];
    const objects = await leshan(server(), endpoint, "rpk", ...files);
    assert.equal(objects.get("outcome"), "success");
    assert.equal(objects.get("/0/1/0"), "coaps://lwm2m.example.com:5684");
    await completed(endpoint);
  });

  test("Wakaama's client, whose SenML JSON knows no base64url, gets its keys in another format", {
    skip: noWakaama,
  }, async () => {
    const { endpoint, key } = device(1);
    const said = await wakaama(system.address("bs-1"), system.port, endpoint, key);
    assert.match(said, /\/0\/1: instanceId: 1, uri: coaps:\/\/lwm2m.example.com:5684, isBootstrap: false, shortId: 101/);
    assert.match(said, /\/0\/0: instanceId: 0, uri: coaps:.*isBootstrap: true/);
    await completed(endpoint);
  });
});
