import assert from "node:assert/strict";
import { Resolver } from "node:dns/promises";
import { after, before, describe, test } from "node:test";
import { addPrefix, needsPrefix, type TestPrefix } from "../support/prefix.ts";
import { berthMany } from "../support/program.ts";
import { hexOf, System, type TestDevice } from "../support/system.ts";
import { needsIpv6 } from "../support/tools.ts";
import { until } from "../support/until.ts";

/** What the nameserver says of a name: its addresses, or a code such as ENODATA. */
async function addressesOf({ dns }: System, name: string): Promise<{ ipv4: string; ipv6: string }> {
  const resolver = new Resolver({ timeout: 2000 });
  resolver.setServers([`${dns.address}:${dns.port}`]);
  const text = (asked: Promise<string[]>): Promise<string> =>
    asked.then(
      (found) => found.join(" "),
      (error: { code: string }) => error.code,
    );
  return { ipv4: await text(resolver.resolve4(name)), ipv6: await text(resolver.resolve6(name)) };
}

/** A device's live names; around the change of an epoch there are two. */
async function namesOf(system: System, { endpoint }: TestDevice): Promise<readonly string[]> {
  return (await system.device(endpoint)).names ?? [];
}

async function nameOf(system: System, device: TestDevice): Promise<string> {
  return (await namesOf(system, device))[0] ?? assert.fail("no name");
}

/** A device bootstraps; gives where. */
async function bootstrap(system: System, device: TestDevice): Promise<string> {
  const { code, stdout, stderr } = await system.berth(
    ...["device", "--endpoint", device.endpoint, "--psk", hexOf(device), "--json"],
  );
  assert.equal(code, 0, stdout + stderr);
  return stdout;
}

describe("instances with an address of each family", { skip: needsIpv6() }, () => {
  let system: System;
  after(() => system?.stop());

  test("R5: both: a name has one A and one AAAA, and is served at each", async () => {
    system = await System.start({ devices: 1, whereabouts: (net) => [`address: ["${net}11", "::1"]`] });
    const [device] = system.devices;
    assert.ok(device !== undefined);
    const name = await nameOf(system, device);
    assert.deepEqual(await addressesOf(system, name), { ipv4: system.address("bs-1"), ipv6: "::1" });
    for (const host of [system.address("bs-1"), "[::1]"]) {
      const server = ["--server", `coaps://${host}:${system.port}`, "--recipe", "none"];
      const args = ["device", "--endpoint", device.endpoint, "--psk", hexOf(device), ...server];
      const [ended] = await berthMany([args]);
      assert.equal(ended?.code, 0, ended?.stderr);
      const rearmed = await system.berth("rearm", device.endpoint);
      assert.equal(rearmed.code, 0, rearmed.stderr);
    }
    await system.stop();
  });

  test("R5: IPv6 alone: A is NODATA, and a device finds its way by AAAA", async () => {
    system = await System.start({ devices: 1, whereabouts: () => ['address: "::1"'] });
    const [device] = system.devices;
    assert.ok(device !== undefined);
    assert.deepEqual(await addressesOf(system, await nameOf(system, device)), { ipv4: "ENODATA", ipv6: "::1" });
    assert.match(await bootstrap(system, device), /::1/);
    await until(async () => (await system.status()).devices.completed === 1, "the completion reaches the balancer");
  });
});

const skip = needsPrefix();
describe("an instance with a prefix", { skip }, () => {
  let own: TestPrefix;
  let system: System;
  before(async () => {
    own = addPrefix();
    system = await System.start({ devices: 6, whereabouts: () => [`prefix: "${own.prefix}"`] });
  });
  after(async () => {
    await system?.stop();
    own?.remove();
  });

  test("R5: each name has an address of its own within it, A is NODATA, and a new balancer says the same", async () => {
    const names = await Promise.all(system.devices.map((device) => nameOf(system, device)));
    const all = await Promise.all(names.map((name) => addressesOf(system, name)));
    for (const { ipv4, ipv6 } of all) {
      assert.equal(ipv4, "ENODATA");
      assert.ok(ipv6.startsWith(own.start), ipv6);
    }
    assert.equal(new Set(all.map(({ ipv6 }) => ipv6)).size, names.length);
    await system.program("balancer").stop();
    system.startBalancer();
    await system.isUp();
    assert.deepEqual(await Promise.all(names.map((name) => addressesOf(system, name))), all);
  });

  test("R5: devices bootstrap there, each at its own address", async () => {
    const addresses = new Set<string>();
    for (const device of system.devices.slice(0, 3)) {
      const names = await namesOf(system, device);
      const own = await Promise.all(names.map((name) => addressesOf(system, name)));
      const report = await bootstrap(system, device);
      const used = own.find(({ ipv6 }) => report.includes(ipv6)) ?? assert.fail(report);
      addresses.add(used.ipv6);
    }
    assert.equal(addresses.size, 3);
  });

  test("operators see the prefix", async () => {
    const { stdout } = await system.berth("instances");
    assert.ok(stdout.includes(own.prefix), stdout);
  });
});
