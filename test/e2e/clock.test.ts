import assert from "node:assert/strict";
import { test } from "node:test";
import { startBerth } from "../support/program.ts";
import { hexOf, System } from "../support/system.ts";

const OFF = 240;

/** A recipe like berth-1 with a time unit of `unit` seconds. */
const recipeOf = (unit: number): unknown => ({
  version: 1,
  nameKey: { info: "berth/name/v1" },
  function: "hmac-sha-256",
  parameters: [{ kind: "endpoint" }, { kind: "time", unit, round: "down" }],
  token: { encoding: "base32", first: 16 },
});

/**
 * A unit whose present epoch began less than 4 minutes ago and ends in less than 4 minutes, so that a clock that is off by
 * 4 minutes is in a neighbouring epoch, whichever way; and stays so for a minute and more. There always is one.
 */
function unitAcrossNow(now: number): number {
  const units = Array.from({ length: 100 }, (_, index) => 300 + index);
  const unit = units.find((candidate) => now % candidate > candidate - OFF + 5 && now % candidate < OFF - 75);
  assert.ok(unit !== undefined);
  return unit;
}

test("a device whose clock is 4 minutes off bootstraps, on either side of an epoch's end, by its own name", async (t) => {
  const recipe = recipeOf(unitAcrossNow(Date.now() / 1000));
  const system = await System.start({ devices: 3, recipe });
  t.after(() => system.stop());
  const names = new Set<string>();
  for (const [index, offset] of [-OFF, 0, OFF].entries()) {
    const device = system.devices[index];
    assert.ok(device !== undefined);
    const at = new Date(Date.now() + offset * 1000).toISOString();
    const args = ["--endpoint", device.endpoint, "--secret", hexOf(device), "--at", at, "--json"];
    const own = JSON.parse((await system.berth("uri", ...args)).stdout) as { host: string; step: { time: number } };
    names.add(String(own.step.time));
    const view = await system.device(device.endpoint);
    assert.ok(view.names?.includes(own.host), "its name is published");
    const credentials = ["--endpoint", device.endpoint, "--psk", hexOf(device), "--clock-offset", `${offset}s`];
    const { code, stderr } = await startBerth(["device", "--config", system.config, "--attempts", "1", ...credentials]).ended;
    assert.equal(code, 0, stderr);
    assert.match(stderr, /^attempt 1: own name/m);
  }
  assert.equal(names.size, 3, "three clocks in three epochs");
});
