import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import type { TsigKey } from "../../src/dns/index.ts";
import type { Clock } from "../../src/lib/clock.ts";
import { systemClock } from "../../src/net/index.ts";
import { needsBind, startBindSecondary } from "../support/bind.ts";
import { type DnsServer, newKey, newPlace, ZONE } from "../support/dns-servers.ts";
import { needsKnot, startKnotSecondary } from "../support/knot.ts";
import { needsNsd, startNsdSecondary } from "../support/nsd.ts";
import { run } from "../support/program.ts";
import { needs } from "../support/tools.ts";
import { until } from "../support/until.ts";
import { MemoryStore, Primary, type PrimaryPlan, parts, states } from "./primary-fixture.ts";

interface Behind {
  readonly primary: Primary;
  readonly secondary: DnsServer;
  readonly key: TsigKey;
}

/** Starts a primary with `names` names at 127.0.0.1, and a secondary behind it. */
async function start(
  t: TestContext,
  startSecondary: typeof startBindSecondary,
  names: number,
  plan: Partial<PrimaryPlan> = {},
): Promise<Behind> {
  const key = newKey();
  const place = await newPlace();
  const primary = await Primary.start({ key, secondaries: [place], ...plan });
  t.after(() => primary.stop());
  await primary.registry.replace(parts(states(0, names, 1)), 1);
  const secondary = await startSecondary(key, primary, { place });
  t.after(() => secondary.stop());
  return { primary, secondary, key };
}

/** Waits until the secondary has what the primary has. */
async function follows({ primary, secondary }: Behind, seconds: number = 30): Promise<void> {
  const { serial } = primary.registry;
  await until(async () => (await secondary.serial()) === serial, `serial ${serial}`, seconds).catch((error: Error) => {
    throw new Error(`${error.message}: ${secondary.log}`);
  });
}

async function leadsTo({ secondary }: Behind, name: string, address: string | undefined): Promise<void> {
  const said = await secondary.ask(`${name}.${ZONE}`);
  const expected = address === undefined ? ["NXDOMAIN", ""] : ["NOERROR", `A 30 ${address}`];
  assert.deepEqual([said?.status, said?.answers.join()], expected);
}

const SERVERS = [
  ["BIND", needsBind(), startBindSecondary],
  ["Knot", needsKnot(), startKnotSecondary],
  ["NSD", needsNsd(), startNsdSecondary],
] as const;

for (const [server, skip, startSecondary] of SERVERS) {
  describe(`primary behind ${server}`, { skip }, () => {
    test("RFC 1995: names come, move and go by IXFR, one serial after the other", async (t) => {
      const behind = await start(t, startSecondary, 2000);
      const { registry } = behind.primary;
      await follows(behind);
      for (const step of [states(2000, 2100, 2), states(0, 100, 3), states(50, 60, undefined)]) {
        await registry.write(step);
        await follows(behind);
      }
      await leadsTo(behind, "bs2050", "127.0.0.2");
      await leadsTo(behind, "bs7", "127.0.0.3");
      await leadsTo(behind, "bs55", undefined);
      assert.deepEqual([registry.stats.axfr + registry.stats.ixfrAsWhole, registry.stats.ixfr], [1, 3]);
    });

    test("a secondary that is killed has all that changed meanwhile when it is back; one away too long transfers the zone whole", async (t) => {
      const behind = await start(t, startSecondary, 2000, { journalBytes: 40_000 });
      const { registry } = behind.primary;
      await follows(behind);
      await behind.secondary.kill();
      for (let address = 2; address < 5; address++) await registry.write(states(0, 100, address));
      await behind.secondary.restart();
      await follows(behind);
      await leadsTo(behind, "bs7", "127.0.0.4");
      const wholes = registry.stats.axfr + registry.stats.ixfrAsWhole;
      await behind.secondary.kill();
      for (let address = 5; address < 9; address++) await registry.write(states(0, 1000, address));
      await registry.write(states(100, 200, undefined));
      await behind.secondary.restart();
      await follows(behind);
      await leadsTo(behind, "bs7", "127.0.0.8");
      await leadsTo(behind, "bs107", undefined);
      assert.equal(registry.stats.axfr + registry.stats.ixfrAsWhole, wholes + 1);
    });

    test("a restart of the primary: the serial goes on, the secondary has the zone whole again, then follows", async (t) => {
      const behind = await start(t, startSecondary, 500);
      await follows(behind);
      const before = behind.primary.registry.serial;
      const registry = behind.primary.renew();
      assert.equal((await behind.secondary.ask(`bs7.${ZONE}`))?.status, "NOERROR", "meanwhile it goes on answering");
      await registry.replace(parts(states(10, 500, 2)), 0.3);
      assert.ok(registry.serial > before);
      await follows(behind);
      await leadsTo(behind, "bs7", undefined);
      await leadsTo(behind, "bs10", "127.0.0.2");
      await registry.write(states(0, 1, 3));
      await follows(behind);
      await leadsTo(behind, "bs0", "127.0.0.3");
      assert.equal(registry.stats.ixfr, 1);
    });

    test("RFC 1982: after a restore of an old database the serial goes on from that of the secondary, which follows", async (t) => {
      const store = new MemoryStore({ serial: Math.floor(systemClock.now() / 1000) + 100_000, names: 100 });
      const behind = await start(t, startSecondary, 100, { store });
      await follows(behind);
      const before = behind.primary.registry.serial;
      store.kept = undefined;
      const registry = behind.primary.renew();
      await registry.replace(parts(states(0, 100, 2)), 0.3);
      assert.equal(registry.serial, before + 1);
      await follows(behind);
      await leadsTo(behind, "bs7", "127.0.0.2");
    });

    test("RFC 1982: the serial goes round, the secondary follows", async (t) => {
      let now = 0xffff_fffc * 1000;
      const clock: Clock = { now: () => (now === 0 ? systemClock.now() : now) };
      const key = newKey();
      const place = await newPlace();
      const primary = await Primary.start({ key, secondaries: [place], clock });
      t.after(() => primary.stop());
      await primary.registry.replace(parts(states(0, 100, 1)), 1);
      now = 0;
      const secondary = await startSecondary(key, primary, { place });
      t.after(() => secondary.stop());
      const behind = { primary, secondary, key };
      await follows(behind);
      for (let address = 2; address < 7; address++) {
        await primary.registry.write(states(0, 10, address));
        await follows(behind);
      }
      assert.ok(primary.registry.serial < 10);
      await leadsTo(behind, "bs7", "127.0.0.6");
      assert.equal(primary.registry.stats.ixfr, 5);
    });

    test("R7: with a clock 10 minutes off, or another secret, it gets nothing, and what was live stays so; put right, it follows", async (t) => {
      let off = 0;
      const clock: Clock = { now: () => systemClock.now() + off };
      const behind = await start(t, startSecondary, 100, { clock });
      await follows(behind);
      const { serial } = behind.primary.registry;
      off = 600_000;
      await behind.primary.registry.write(states(0, 10, 2));
      await pause(1500);
      assert.equal(await behind.secondary.serial(), serial);
      await leadsTo(behind, "bs7", "127.0.0.1");
      off = 0;
      // NOTIFY is sent until it is answered: the next one is believed.
      await follows(behind);
      await leadsTo(behind, "bs7", "127.0.0.2");

      const { key } = behind;
      const place = await newPlace();
      const { refused } = behind.primary.registry.stats;
      const other = await startSecondary({ ...key, secret: new Uint8Array(32) }, behind.primary, { place });
      t.after(() => other.stop());
      await until(() => behind.primary.registry.stats.refused > refused, "it asks");
      assert.equal(await other.serial(), undefined);
    });

    test("100,000 names, and 1,000 of them moved", { timeout: 120_000 }, async (t) => {
      const behind = await start(t, startSecondary, 100_000);
      await follows(behind, 60);
      await leadsTo(behind, "bs99999", "127.0.0.1");
      await behind.primary.registry.write(states(99_000, 100_000, 2));
      await follows(behind, 60);
      await leadsTo(behind, "bs99999", "127.0.0.2");
      await leadsTo(behind, "bs98999", "127.0.0.1");
    });
  });
}

describe("a hidden primary, asked by dig", { skip: needs("dig", "bind9-dnsutils") }, () => {
  const dig = async (primary: Primary, ...args: readonly string[]): Promise<string> => {
    const where = ["-p", String(primary.port), `@${primary.address}`, "+norec", "+tries=1", "+time=5"];
    return (await run("dig", [...where, ...args])).stdout;
  };

  test("R7, RFC 5936, RFC 1995: refused without a key; whole, and differences over TCP and UDP, with it; signed answers verify", async (t) => {
    const key = newKey();
    const primary = await Primary.start({ key, secondaries: [] });
    t.after(() => primary.stop());
    await primary.registry.replace(parts(states(0, 1000, 1)), 1);
    await primary.registry.write(states(0, 1, 2));
    const { serial } = primary.registry;
    const folder = mkdtempSync(join(tmpdir(), "berth-dig-"));
    t.after(() => rmSync(folder, { recursive: true }));
    const file = join(folder, "berth.key");
    writeFileSync(file, `key "berth" { algorithm ${key.algorithm}; secret "${Buffer.from(key.secret).toString("base64")}"; };`);
    assert.match(await dig(primary, ZONE, "AXFR"), /; Transfer failed/);
    assert.match(await dig(primary, ZONE, `IXFR=${serial - 1}`), /; Transfer failed/);
    const whole = await dig(primary, "-k", file, ZONE, "AXFR");
    assert.match(whole, /XFR size: 1004 records/);
    assert.doesNotMatch(whole, /Couldn't verify|WARNING/);
    for (const transport of ["+tcp", "+notcp"]) {
      const step = await dig(primary, "-k", file, transport, ZONE, `IXFR=${serial - 1}`);
      assert.match(step, /IN\tA\t127\.0\.0\.1\n[\s\S]*IN\tA\t127\.0\.0\.2\n/, transport);
      assert.doesNotMatch(step, /Couldn't verify|WARNING/);
    }
    const named = await dig(primary, "-k", file, `bs7.${ZONE}`, "A");
    assert.match(named, /status: NOERROR[\s\S]*127\.0\.0\.1\n[\s\S]*TSIG/);
    assert.doesNotMatch(named, /Couldn't verify|WARNING/);
    const soa = await dig(primary, "+short", ZONE, "SOA");
    assert.match(soa, new RegExp(` ${serial} 60 15 `), "the same serial stands in unsigned answers");
  });
});
