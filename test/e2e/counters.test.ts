import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { hexOf, System } from "../support/system.ts";
import { until } from "../support/until.ts";

const COUNTING: unknown = {
  version: 1,
  nameKey: { info: "berth/name/v1" },
  function: "hmac-sha-256",
  parameters: [{ kind: "endpoint" }, { kind: "counter" }],
  token: { encoding: "base32", first: 16 },
  lookAhead: 2,
};

test("a device without a clock bootstraps by its counter, sleeps through rotations, is armed again, and both count on (N3, B14)", async (t) => {
  const system = await System.start({ devices: 1, recipe: COUNTING });
  t.after(() => system.stop());
  const [device] = system.devices;
  assert.ok(device !== undefined);
  const { endpoint } = device;
  const state = ["--state", join(system.folder, "device.json"), "--again", "--attempts", "1"];
  const bootstrap = async (): Promise<string> => {
    const { code, stderr } = await system.berth("device", "--endpoint", endpoint, "--psk", hexOf(device), ...state);
    assert.equal(code, 0, stderr);
    await until(async () => (await system.device(endpoint)).state === "completed", "it is completed");
    return stderr;
  };
  const rearm = async (): Promise<void> => assert.equal((await system.berth("rearm", endpoint)).code, 0);
  const hostOf = async (counter: number): Promise<string> => {
    const args = ["--endpoint", endpoint, "--secret", hexOf(device), "--counter", String(counter), "--json"];
    return (JSON.parse((await system.berth("uri", ...args)).stdout) as { host: string }).host;
  };
  const [zero, one, two, three, four, five, six] = await Promise.all([0, 1, 2, 3, 4, 5, 6].map(hostOf));

  assert.deepEqual((await system.device(endpoint)).names, [zero, one, two]);
  assert.match(await bootstrap(), /attempt 1: own name/);
  await rearm();
  assert.deepEqual((await system.device(endpoint)).names, [one, two, three]);
  for (let rotation = 0; rotation < 4; rotation++) {
    const { code, stdout, stderr } = await system.berth("rotate");
    assert.equal(code, 0, stderr);
    assert.match(stdout, rotation < 2 ? /, 1 without their lowest name\n$/ : /, 0 without their lowest name\n$/);
    assert.match(stderr, rotation < 2 ? /^$/ : /^warning: 1 devices keep their names: the recipe looks ahead by 2/);
  }
  assert.deepEqual((await system.device(endpoint)).names, [three, four, five]);
  assert.match(await bootstrap(), /attempt 1: neighbour/, "the third that it tries");
  await rearm();
  assert.deepEqual((await system.device(endpoint)).names, [four, five, six]);
  assert.match(await bootstrap(), /attempt 1: own name/, "both are at four");
});
