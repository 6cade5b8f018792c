import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { AuditEntry } from "../../src/control/index.ts";
import { findPostgres, INSTALL_HINT, startPostgres } from "../storage/postgres-server.ts";
import { type Program, startBerth } from "../support/program.ts";
import { System } from "../support/system.ts";
import { until } from "../support/until.ts";

const binaries = findPostgres();

/** Names live over all epochs, as the balancer at this address counts them. */
async function names(system: System): Promise<number> {
  return (await system.status()).epochs.reduce((sum, epoch) => sum + epoch.names, 0);
}

test("of two balancers on one PostgreSQL one leads: a paused one changes nothing when it goes on, a killed one is succeeded (R6, B9)", {
  skip: binaries === undefined ? INSTALL_HINT : false,
}, async (t) => {
  const server = await startPostgres(binaries ?? "");
  t.after(() => server.stop());
  process.env.BERTH_DATABASE_URL = await server.newDatabase();
  const system = await System.start({ instances: 1, devices: 60 });
  t.after(() => system.stop());
  const first = system.program("balancer");
  await until(async () => (await names(system)) >= 60, "names are live");

  // Its own address, as on another host: one that is paused still has its sockets.
  const elsewhere = join(system.folder, "elsewhere.yaml");
  const { address } = system.dns;
  writeFileSync(elsewhere, readFileSync(system.config, "utf8").replaceAll(`"${address}:`, `"${address.replace(/1$/, "2")}:`));
  const start = (config: string): Program => {
    const program = startBerth(["balancer", "--config", config]);
    t.after(() => program.stop());
    return program;
  };
  const second = start(elsewhere);
  await second.says(/waiting for the lease that another holds/);
  first.kill("SIGSTOP");
  const paused = Date.now();
  await second.says(/balancer is up/);
  t.diagnostic(`succeeded ${((Date.now() - paused) / 1000).toFixed(1)} s after the pause`);
  first.kill("SIGCONT");
  const { code, stderr } = await first.ended;
  assert.equal(code, 1);
  assert.match(stderr, /\nberth: another balancer has taken the lease; this one has stopped\n$/);

  // It may stand by again, where it was, and its instance finds it there.
  system.startBalancer();
  await system.program("balancer").says(/waiting for the lease/);
  assert.equal((await second.stop("SIGKILL")).code, null);
  const killed = Date.now();
  await system.isUp();
  t.diagnostic(`up ${((Date.now() - killed) / 1000).toFixed(1)} s after the kill`);
  assert.deepEqual((await system.status()).devices, { pending: 60, commenced: 0, completed: 0 });
  assert.ok((await names(system)) >= 60);
  const audit = JSON.parse((await system.berth("audit", "--json")).stdout) as AuditEntry[];
  const terms = audit.filter(({ kind }) => kind === "fenced").map(({ subject, counts }) => [subject, counts.term]);
  assert.deepEqual(terms, [
    ["lease", 3],
    ["lease", 2],
  ]);

  // One that is asked to end gives the lease back.
  const third = start(elsewhere);
  await third.says(/waiting for the lease/);
  await system.program("balancer").stop();
  const stopped = Date.now();
  await third.says(/balancer is up/);
  assert.ok(Date.now() - stopped < 8000, "sooner than a lease runs out");
});
