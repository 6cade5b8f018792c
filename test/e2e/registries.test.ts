import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { TsigKey } from "../../src/dns/index.ts";
import { needsBind, startBind, startBindSecondary } from "../support/bind.ts";
import { type DnsServer, newKey, newPlace, ZONE } from "../support/dns-servers.ts";
import { allCompleted, balancerKnows, startFleet } from "../support/fleet.ts";
import { needsKnot, startKnot, startKnotSecondary } from "../support/knot.ts";
import { needsNsd, startNsdSecondary } from "../support/nsd.ts";
import { needsNsupdate, nsupdate } from "../support/nsupdate.ts";
import {
  checkDns,
  deviceNames,
  holdsNoSecret,
  liveNames,
  needsDig,
  publicationIs,
  startPrimary,
  startUpdating,
  transferred,
  zoneIsRight,
} from "../support/registries.ts";
import type { System } from "../support/system.ts";
import { until } from "../support/until.ts";

const DEVICES = 20;

/** All devices bootstrap by names that this server tells them, and these are gone then. */
async function bootstrap(t: TestContext, system: System, server: DnsServer, names: readonly string[]): Promise<void> {
  for (const name of names) {
    const [host = "", address = ""] = name.split(" ");
    const said = await server.ask(host);
    assert.deepEqual(
      [said?.status, said?.answers],
      ["NOERROR", [`A 30 ${address}`]],
      "one address, with the TTL of the configuration",
    );
  }
  await allCompleted(startFleet(t, system), DEVICES);
  await balancerKnows(system, DEVICES);
  await publicationIs(system, "following");
  assert.deepEqual(await liveNames(system), []);
  const isGone = async (): Promise<boolean> => {
    for (const name of names) if ((await server.ask(name.split(" ")[0] ?? ""))?.status !== "NXDOMAIN") return false;
    return true;
  };
  await until(isGone, "names of completed devices are NXDOMAIN");
  holdsNoSecret(system.logs, { secret: new Uint8Array(32) } as TsigKey);
}

for (const [name, skip, start] of [
  ["BIND", needsBind(), startBind],
  ["Knot", needsKnot(), startKnot],
] as const) {
  test(`by update to ${name}: devices bootstrap by names that they resolve there, records of others stay (R3, R5)`, {
    skip: skip || needsDig() || needsNsupdate(),
  }, async (t) => {
    const key = newKey();
    const server = await start(key);
    t.after(() => server.stop());
    await nsupdate(server, key, [`update add ${ZONE}. 300 TXT "v=spf1 -all"`, `update add www.${ZONE}. 60 A 192.0.2.80`]);
    const before = await transferred(server, key);
    const system = await startUpdating(server, key, { devices: DEVICES });
    t.after(() => system.stop());
    const names = await zoneIsRight(system, server, key);
    assert.ok(names.length >= DEVICES);
    await bootstrap(t, system, server, names);
    const after = await transferred(server, key);
    assert.deepEqual(deviceNames(after), []);
    assert.deepEqual(
      after.filter((record) => !record.includes('"berth owner=')),
      before,
    );
    assert.equal(after.length, before.length + 1, "and one owner record");
    assert.deepEqual((await checkDns(system)).errors, []);
  });
}

for (const [name, skip, start] of [
  ["BIND", needsBind(), startBindSecondary],
  ["Knot", needsKnot(), startKnotSecondary],
  ["NSD", needsNsd(), startNsdSecondary],
] as const) {
  test(`behind a hidden primary, ${name}: devices bootstrap by names that they resolve there (R4)`, { skip }, async (t) => {
    const key = newKey();
    const place = await newPlace();
    const system = await startPrimary(place, key, { devices: DEVICES });
    t.after(() => system.stop());
    const secondary = await start(key, system.dns, { place });
    t.after(() => secondary.stop());
    const names = await liveNames(system);
    assert.ok(names.length >= DEVICES);
    const [last = ""] = names.at(-1)?.split(" ") ?? [];
    await until(async () => (await secondary.ask(last))?.status === "NOERROR", "names are at the secondary");
    await bootstrap(t, system, secondary, names);
    assert.deepEqual((await checkDns(system)).errors, []);
  });
}
