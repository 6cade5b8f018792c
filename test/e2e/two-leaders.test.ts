import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { ControlClient } from "../../src/net/index.ts";
import { findPostgres, INSTALL_HINT, startPostgres } from "../storage/postgres-server.ts";
import { needsBind, startBind, startBindSecondary } from "../support/bind.ts";
import { newKey, newPlace } from "../support/dns-servers.ts";
import { startBerth } from "../support/program.ts";
import {
  deviceNames,
  importMore,
  liveNames,
  logged,
  needsDig,
  publication,
  publicationIs,
  startPrimary,
  startUpdating,
  steadyRecipe,
  transferred,
  zoneIsRight,
} from "../support/registries.ts";
import { type TestDevice, testDevices } from "../support/system.ts";
import { until } from "../support/until.ts";

const recipe = steadyRecipe();

/** Devices of the same names as others' whose secrets are others. */
function ofOtherSecrets(count: number): TestDevice[] {
  return testDevices(count).map(({ endpoint }) => {
    return { endpoint, key: createHash("sha256").update(`other ${endpoint}`).digest("hex").slice(0, 16) };
  });
}

describe("two balancers that both believe they lead, by update (R6)", { skip: needsBind() || needsDig() }, () => {
  /** Two on databases of their own, each of which thinks the zone its fleet's; the second has none of its names in it yet. */
  async function two(t: TestContext) {
    const key = newKey();
    const server = await startBind(key);
    t.after(() => server.stop());
    const first = await startUpdating(server, key, { devices: 50, recipe });
    t.after(() => first.stop());
    await zoneIsRight(first, server, key);
    const start = async () => {
      // What the first has in the zone goes without a question.
      const second = await startUpdating(server, key, { recipe }, ", brake: 100%");
      t.after(() => second.stop());
      await importMore(second, ofOtherSecrets(50));
      return { second, names: await zoneIsRight(second, server, key) };
    };
    return { key, server, first, start };
  }

  test("the second takes over; the first says that it is fenced, and changes nothing any more", async (t) => {
    const { key, server, first, start } = await two(t);
    const { second, names } = await start();
    assert.equal(names.length, 50);
    await importMore(first, testDevices(150));
    await publicationIs(first, "fenced");
    const { explanation, waiting } = await publication(first);
    assert.match(explanation ?? "", /^zone bs\.example\.com is written by another balancer of this reign, term 1$/);
    assert.ok(waiting >= 100);
    assert.equal(logged(first, /this balancer publishes nothing any more/).length, 1);
    assert.match((await first.berth("check", "dns")).stdout, /ERROR +balancer: publication is fenced/);
    assert.deepEqual(await zoneIsRight(second, server, key), names);
    // The second is not held up by it.
    await importMore(second, ofOtherSecrets(60));
    await zoneIsRight(second, server, key);
    await publicationIs(second, "following");
  });

  test("the first stood still meanwhile, and comes back with work to do: it writes nothing", async (t) => {
    const { key, server, first, start } = await two(t);
    const balancer = first.program("balancer");
    // It stands still in the middle of work.
    // Whoever imports may lose patience.
    const importing = importMore(first, testDevices(3000)).catch(() => {});
    const serial = (await server.serial()) ?? 0;
    await until(async () => ((await server.serial()) ?? 0) > serial, "it writes");
    balancer.kill("SIGSTOP");
    const { second, names } = await start();
    balancer.kill("SIGCONT");
    await importing;
    await importMore(first, testDevices(3000));
    await publicationIs(first, "fenced");
    assert.ok((await publication(first)).waiting > 0, "it had work to do");
    assert.deepEqual(deviceNames(await transferred(server, key)), names);
    await publicationIs(second, "following");
    assert.deepEqual(await zoneIsRight(second, server, key), names);
  });
});

const postgres = findPostgres();

test("two hidden primaries on one PostgreSQL: one stands still until the other leads; only the other's names are at the secondary (R6)", {
  skip: needsBind() || needsDig() || (postgres === undefined && INSTALL_HINT),
}, async (t) => {
  const database = await startPostgres(postgres ?? "");
  t.after(() => database.stop());
  process.env.BERTH_DATABASE_URL = await database.newDatabase();
  const key = newKey();
  const place = await newPlace();
  const system = await startPrimary(place, key, { instances: 1, devices: 50, recipe });
  t.after(() => system.stop());
  const first = system.program("balancer");
  const { dns } = system;
  const elsewhere = { address: dns.address.replace(/1$/, "2"), port: dns.port };
  const secondary = await startBindSecondary(key, dns, { place, others: [elsewhere] });
  t.after(() => secondary.stop());
  const before = await liveNames(system);
  const [gone = ""] = before[0]?.split(" ") ?? [];
  await until(async () => (await secondary.ask(gone))?.status === "NOERROR", "names are at the secondary");

  const config = join(system.folder, "elsewhere.yaml");
  writeFileSync(config, readFileSync(system.config, "utf8").replaceAll(`"${dns.address}:`, `"${elsewhere.address}:`));
  const second = startBerth(["balancer", "--config", config]);
  t.after(() => second.stop());
  await second.says(/waiting for the lease that another holds/);
  const serials = [(await secondary.serial()) ?? 0];
  const watch = setInterval(() => void secondary.serial().then((serial) => serial && serials.push(serial)), 50);
  t.after(() => clearInterval(watch));
  first.kill("SIGSTOP");
  await second.says(/balancer is up/);
  const token = readFileSync(join(system.folder, "operator.token"), "utf8");
  const client = new ControlClient({ url: `http://${elsewhere.address}:${system.controlPort}`, token });
  t.after(() => client.close());
  for (const { endpoint } of system.devices.slice(0, 10)) await client.call("removeDevice", { params: { endpoint } });
  const names = await liveNames({ client, address: (id) => system.address(id) });
  assert.equal(names.length, 40);
  first.kill("SIGCONT");
  const { code, stderr } = await first.ended;
  assert.equal(code, 1);
  assert.match(stderr, /\nberth: another balancer has taken the lease; this one has stopped\n$/);

  for (const name of before) {
    const [host = "", address] = name.split(" ");
    const wanted = names.includes(name) ? `A 30 ${address}` : "";
    await until(async () => (await secondary.ask(host))?.answers.join() === wanted, "the secondary follows the second");
  }
  assert.deepEqual(deviceNames(await transferred(elsewhere, key)), names);
  clearInterval(watch);
  serials.push((await secondary.serial()) ?? 0);
  assert.ok(new Set(serials).size > 1);
  assert.deepEqual(
    serials,
    serials.toSorted((a, b) => a - b),
    "the serial never goes back",
  );
});
