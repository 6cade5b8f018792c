import assert from "node:assert/strict";
import { after, before, suite, test } from "node:test";
import { hexOf, System } from "../support/system.ts";
import { buildLeshan, leshan, noLeshan } from "./leshan.ts";
import { noWakaama, wakaama } from "./wakaama.ts";

const SERVER_KEY = "00112233445566778899aabbccddeeff";

suite("clients of other projects, with keys", () => {
  let system: System;
  before(async () => {
    system = await System.start({ instances: 1, devices: 8 });
  });
  after(() => system?.stop());

  const server = (): string => `coaps://${system.address("bs-1")}:${system.port}`;
  const device = (index: number): { endpoint: string; key: string } => {
    const found = system.devices[index];
    if (found === undefined) throw new Error(`no device ${index}`);
    return { endpoint: found.endpoint, key: hexOf(found) };
  };

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
    assert.equal((await system.device(endpoint)).state, "completed");
  });

  test("Wakaama's client, whose SenML JSON knows no base64url, gets its keys in another format", {
    skip: noWakaama,
  }, async () => {
    const { endpoint, key } = device(1);
    const said = await wakaama(system.address("bs-1"), system.port, endpoint, key);
    assert.match(said, /\/0\/1: instanceId: 1, uri: coaps:\/\/lwm2m.example.com:5684, isBootstrap: false, shortId: 101/);
    assert.match(said, /\/0\/0: instanceId: 0, uri: coaps:.*isBootstrap: true/);
    assert.equal((await system.device(endpoint)).state, "completed");
  });
});
