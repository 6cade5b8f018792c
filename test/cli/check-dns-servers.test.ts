import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { type Finding, runChecks } from "../../src/cli/check/index.ts";
import { openChecks } from "../../src/cli/check/open.ts";
import { loadConfig } from "../../src/cli/config.ts";
import type { TsigKey } from "../../src/dns/index.ts";
import { systemClock } from "../../src/net/index.ts";
import { Primary, parts, states } from "../registry/primary-fixture.ts";
import { needsBind, startBind, startBindSecondary } from "../support/bind.ts";
import { type DnsServer, newKey, newPlace } from "../support/dns-servers.ts";
import { needsKnot, startKnot, startKnotSecondary } from "../support/knot.ts";
import { needsNsd, startNsdSecondary } from "../support/nsd.ts";
import { needsPowerDns, startPowerDns } from "../support/powerdns.ts";
import { berth } from "../support/program.ts";
import { System } from "../support/system.ts";
import { until } from "../support/until.ts";

const folder = mkdtempSync(join(tmpdir(), "berth-check-"));
after(() => rmSync(folder, { recursive: true, force: true }));
const MINUTES = 60_000;

/** A configuration with a key and this section `dns`. @returns its file */
function configure(key: TsigKey, dns: readonly string[]): string {
  writeFileSync(join(folder, "berth.key"), Buffer.from(key.secret).toString("base64"), { mode: 0o600 });
  const file = join(folder, "berth.yaml");
  const keys = `keys: { ${key.name}: { algorithm: ${key.algorithm}, file: berth.key } }`;
  writeFileSync(
    file,
    ["uri: coaps://bs{token}.bs.example.com:5684", "dns:", `  ${keys}`, ...dns.map((line) => `  ${line}`)].join("\n"),
  );
  return file;
}

function updating(server: DnsServer, key: TsigKey): string {
  const update = `update: { server: "${server.endpoint}", key: ${key.name} }`;
  return configure(key, ["registry: rfc2136", update, `observe: ["${server.endpoint}"]`]);
}

/** Runs the checks, by a clock that is wrong by `ahead`. No balancer is up. */
async function check(file: string, ahead = 0): Promise<readonly Finding[]> {
  const context = await openChecks(loadConfig(file), { config: file });
  return runChecks({ ...context, clock: { now: () => systemClock.now() + ahead } });
}

/** What is wrong, as `level check`, beside that there is no balancer. */
function wrong(findings: readonly Finding[]): string[] {
  const others = findings.filter(({ level, check }) => level !== "ok" && check !== "balancer");
  return others.map(({ level, check, message }) => `${level} ${check}: ${message}`);
}

for (const [name, skip, start] of [
  ["BIND", needsBind(), startBind],
  ["Knot", needsKnot(), startKnot],
] as const) {
  describe(`berth check dns, names by update at a real ${name}`, { skip }, () => {
    test("nothing is wrong but that nobody has taken the zone yet; a wrong key, name and clock are told apart", async () => {
      const key = newKey();
      const server = await start(key);
      try {
        const [owner = "", ...more] = wrong(await check(updating(server, key)));
        assert.match(owner, /^warning owner: there is no owner record/);
        assert.deepEqual(more, []);
        const serial = await server.serial();
        const otherSecret = wrong(await check(updating(server, newKey())));
        assert.match(otherSecret[0] ?? "", /^error key: it knows .* with another secret \(BADSIG\)/);
        const otherName = wrong(await check(updating(server, { ...key, name: "other" })));
        assert.match(otherName[0] ?? "", /^error key: it does not know the TSIG key "other" .*\(BADKEY\)/);
        const fast = wrong(await check(updating(server, key), 10 * MINUTES));
        assert.match(fast[0] ?? "", /^error clock: the clock of this host is 10 min ahead of that of the server/);
        const slow = wrong(await check(updating(server, key), -4 * MINUTES));
        assert.match(slow[0] ?? "", /^warning clock: the clock of this host is 4 min behind/);
        assert.equal(await server.serial(), serial, "the checks change nothing");
      } finally {
        await server.stop();
      }
    });
  });
}

for (const [name, skip, start, sign] of [
  ["BIND", needsBind(), startBindSecondary, false],
  ["Knot", needsKnot(), startKnotSecondary, false],
  ["NSD", needsNsd(), startNsdSecondary, false],
  ["BIND that signs", needsBind(), startBindSecondary, true],
  ["Knot that signs", needsKnot(), startKnotSecondary, true],
] as const) {
  test(`berth check dns finds nothing wrong with a real ${name} as secondary`, { skip }, async () => {
    const key = newKey();
    const places = [await newPlace(), await newPlace()] as const;
    const primary = await Primary.start({ key, secondaries: [places[1]], place: places[0] });
    await primary.registry.replace(parts(states(0, 100, 11)), 1);
    const secondary = await start(key, primary, { place: places[1], sign });
    try {
      const serial = primary.registry.serial;
      await until(async () => ((await secondary.serial()) ?? 0) >= serial, "the secondary has the zone");
      const lines = [
        `registry: primary`,
        `listen: ["${primary.address}:${primary.port}"]`,
        `nameservers: [{ host: ns1.bs.example.com, ipv4: 192.0.2.53 }]`,
        `transfer: { key: ${key.name}, secondaries: ["${secondary.endpoint}"] }`,
      ];
      const findings = await check(configure(key, lines));
      assert.deepEqual(wrong(findings), []);
      const [dnssec] = findings.filter(({ check }) => check === "dnssec");
      assert.match(dnssec?.message ?? "", sign ? /NSEC3|minimal/ : /not signed/);
      const file = configure(newKey(), lines);
      assert.ok(wrong(await check(file)).some((line) => /^error key: .*BADSIG/.test(line)));
    } finally {
      await secondary.stop();
      await primary.stop();
    }
  });
}

test("berth check dns, names by update at a real PowerDNS: nothing is wrong; of a wrong key it says no more than no", {
  skip: needsPowerDns(),
}, async () => {
  const key = newKey();
  const server = await startPowerDns(key);
  try {
    const [owner = "", ...more] = wrong(await check(updating(server, key)));
    assert.match(owner, /^warning owner/);
    assert.deepEqual(more, []);
    const [refused = ""] = wrong(await check(updating(server, newKey())));
    assert.match(refused, /^error key: it refuses a message signed with .* and does not say why/);
  } finally {
    await server.stop();
  }
});

test("berth check dns, as a program: exit codes, lines, one JSON object", { skip: needsBind() }, async () => {
  const key = newKey();
  const server = await startBind(key);
  const file = updating(server, key);
  try {
    const well = await berth(["check", "dns", "--config", file]);
    assert.equal(well.code, 0, well.stdout);
    assert.match(well.stdout, /^ok {7}key 127\.0\.0\.1:\d+: takes updates of bs\.example\.com with the TSIG key "berth"/m);
    assert.match(well.stdout, /^WARNING {2}balancer: .*\n {9}-> start the balancer/m);
    assert.match(well.stderr, /^bs\.example\.com, registry rfc2136: 0 errors, \d+ warnings, \d+ well$/m);
    await server.stop();
    const down = await berth(["check", "dns", "--config", file, "--json"]);
    assert.equal(down.code, 1);
    const report = JSON.parse(down.stdout) as { zone: string; registry: string; findings: Finding[] };
    assert.deepEqual([report.zone, report.registry], ["bs.example.com", "rfc2136"]);
    const answers = report.findings.find(({ check, level }) => check === "answers" && level === "error");
    assert.equal(answers?.server, server.endpoint);
    assert.match(answers?.message ?? "", /does not answer/);
  } finally {
    await server.stop();
  }
  assert.match((await berth(["check", "dns", "--resolver", "nowhere"])).stderr, /an address and port such as/);
});

test("berth check dns with a balancer that is up: live names lead to their instances, and none of them is shown", async () => {
  const system = await System.start({ instances: 2, devices: 5 });
  try {
    const names = await until(async () => {
      const { devices } = await system.client.call("devices", { query: { names: true } });
      const live = devices.flatMap(({ instance, names = [] }) => (instance === null ? [] : names));
      return live.length >= 5 ? live : undefined;
    }, "the devices have live names");
    const { code, stdout } = await berth(["check", "dns", "--config", system.config, "--json"]);
    const { registry, findings } = JSON.parse(stdout) as { registry: string; findings: readonly Finding[] };
    assert.deepEqual([registry, code, wrong(findings)], ["embedded", 0, []]);
    assert.deepEqual(
      findings.flatMap(({ check, message }) => (check === "names" || check === "balancer" ? [message] : [])),
      ["it is up, and what it decides is published", "3 live names lead to their instances, TTL 30 s"],
    );
    for (const name of names) assert.ok(!stdout.includes(name.split(".")[0] ?? name));
  } finally {
    await system.stop();
  }
});
