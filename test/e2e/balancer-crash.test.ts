import assert from "node:assert/strict";
import { test } from "node:test";
import { allCompleted, balancerKnows, startFleet } from "../support/fleet.ts";
import { berth } from "../support/program.ts";
import { hexOf, System } from "../support/system.ts";
import { until } from "../support/until.ts";

test("the balancer is killed while 1000 devices bootstrap: no device is lost or stuck, and instances serve on", async (t) => {
  const system = await System.start({ instances: 3, devices: 1001 });
  t.after(() => system.stop());
  const last = system.devices.at(-1);
  assert.ok(last !== undefined);
  const { instance, state } = await system.device(last.endpoint);
  assert.equal(state, "pending");

  const fleet = startFleet(t, system, "--devices", "1000", "--burst", "6s");
  await until(async () => (await system.status()).devices.completed >= 200, "200 devices completed");
  const before = (await system.status()).devices;
  assert.ok(before.completed < 1000, "the rest is still to come");
  await system.program("balancer").stop("SIGKILL");

  // Nothing resolves now, but an instance that knows a device serves it.
  const server = `coaps://${system.address(instance ?? "")}:${system.port}`;
  const who = ["--endpoint", last.endpoint, "--psk", hexOf(last)];
  const { code, stderr } = await berth(["device", "--server", server, "--recipe", "none", "--attempts", "1", ...who]);
  assert.equal(code, 0, stderr);

  system.startBalancer();
  await system.isUp();
  const after = (await system.status()).devices;
  assert.equal(after.pending + after.commenced + after.completed, 1001, "no device is lost");
  assert.ok(after.completed >= before.completed, "what was completed stays completed");

  const { elapsed, attempts, causes } = await allCompleted(fleet, 1000);
  t.diagnostic(JSON.stringify({ elapsed, attempts, causes, before, after }));
  await balancerKnows(system, 1001);
  const views = (await system.client.call("instances", {})).instances;
  assert.equal(
    views.reduce((sum, { completed }) => sum + completed, 0),
    1001,
  );
  const errors = system.logs.split("\n").filter((line) => line.includes('"level":50'));
  assert.deepEqual(errors, []);
});
