import assert from "node:assert/strict";
import { test } from "node:test";
import { allCompleted, startFleet } from "../support/fleet.ts";
import { System } from "../support/system.ts";
import { until } from "../support/until.ts";

test("an instance is killed and started again: its devices go elsewhere within 7 s, and it is used again", async (t) => {
  const system = await System.start({ instances: 3, devices: 300, yaml: "session: { deadline: 5s }" });
  t.after(() => system.stop());
  const fleet = startFleet(t, system, "--burst", "12s");
  await until(async () => (await system.status()).devices.completed >= 50, "50 devices completed");
  const killed = Date.now();
  await system.program("bs-1").stop("SIGKILL");
  const lost = async (): Promise<boolean> => {
    const { instances } = await system.client.call("instances", {});
    const view = instances.find(({ id }) => id === "bs-1");
    return view?.state === "lost" && view.pending + view.commenced === 0;
  };
  await until(lost, "the instance is out of DNS");
  t.diagnostic(`out of DNS after ${Date.now() - killed} ms`);
  assert.ok(Date.now() - killed <= 7000);

  const completed = async (): Promise<number> => {
    const { instances } = await system.client.call("instances", {});
    return instances.find(({ id }) => id === "bs-1")?.completed ?? 0;
  };
  const before = await completed();
  system.startInstance("bs-1");
  await system.isUp();
  const { attempts, causes, elapsed } = await allCompleted(fleet, 300);
  t.diagnostic(JSON.stringify({ attempts, causes, elapsed }));
  assert.ok((await completed()) > before, "it was given devices again");
  // Completions that the killed instance did not live to tell are not known; those devices are named again (B13).
  const settled = async (): Promise<boolean> => {
    const { devices } = await system.status();
    return devices.commenced === 0 && devices.completed + devices.pending === 300 && devices.completed >= 280;
  };
  await until(settled, "no device is stuck");
});
