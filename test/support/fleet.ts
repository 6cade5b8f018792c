import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import type { FleetSummary } from "../../src/device/index.ts";
import type { Program } from "./program.ts";
import { startBerth } from "./program.ts";
import type { System } from "./system.ts";
import { until } from "./until.ts";

/** Starts `berth fleet` with all devices of the system. */
export function startFleet(t: TestContext, system: System, ...args: readonly string[]): Program {
  const fleet = startBerth(["fleet", system.fleetFile, "--config", system.config, "--json", ...args]);
  t.after(() => fleet.stop("SIGKILL"));
  return fleet;
}

/** Its summary, when all its devices completed. */
export async function allCompleted(fleet: Program, devices: number): Promise<FleetSummary> {
  // It says so when the last device is done; its devices go on answering for a while what instances repeat.
  await fleet.says(/^\{.*\}\n/, 180);
  const summary = JSON.parse(fleet.stdout) as FleetSummary;
  assert.deepEqual([summary.devices, summary.completed, summary.failed], [devices, devices, 0]);
  return summary;
}

/** Waits until the balancer has heard of it too: news of a session reach it a moment after the device knows. */
export async function balancerKnows(system: System, completed: number): Promise<void> {
  let last = "";
  await until(
    async () => {
      const { devices } = await system.status();
      last = JSON.stringify(devices);
      return devices.completed === completed && devices.commenced === 0 && devices.pending === 0;
    },
    `${completed} completed by the balancer's count`,
    120,
  ).catch((error: unknown) => assert.fail(`${error}, which is ${last}`));
}
