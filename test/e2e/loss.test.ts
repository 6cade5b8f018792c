import { test } from "node:test";
import { allCompleted, balancerKnows, startFleet } from "../support/fleet.ts";
import { System } from "../support/system.ts";

test("20 % of all datagrams lost, 5 % doubled, 5 % reordered: 200 of 200 complete, also by the balancer's count", async (t) => {
  const system = await System.start({ instances: 3, devices: 200 });
  t.after(() => system.stop());
  const fleet = startFleet(t, system, "--loss", "0.2", "--duplicate", "0.05", "--reorder", "0.05");
  const { attempts, elapsed, p50, p99, causes } = await allCompleted(fleet, 200);
  t.diagnostic(JSON.stringify({ attempts, elapsed, p50, p99, causes }));
  await balancerKnows(system, 200);
});
