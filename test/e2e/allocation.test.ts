import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { InstanceView } from "../../src/control/index.ts";
import { resolveHost } from "../../src/net/index.ts";
import { UdpDevice } from "../bootstrap/udp-device.ts";
import { allCompleted, balancerKnows } from "../support/fleet.ts";
import { startBerth } from "../support/program.ts";
import { hexOf, System, type SystemOptions, type TestDevice, testDevices } from "../support/system.ts";
import { until } from "../support/until.ts";

/* Each way to allocate (B3), with a balancer, instances and devices that are processes, and names asked of DNS. */

const SERVER_KEY = "00112233445566778899aabbccddeeff";

async function start(t: TestContext, options: SystemOptions): Promise<System> {
  const system = await System.start({ instances: 3, ...options });
  t.after(() => system.stop());
  return system;
}

/** Imports devices with more columns, each row the text of these. */
async function importRows(system: System, columns: string, rows: readonly (readonly [TestDevice, string])[]): Promise<string> {
  const lines = rows.map(([device, more]) => `${device.endpoint},${hexOf(device)},${SERVER_KEY},${more}`);
  const file = join(system.folder, `${lines.length}.csv`);
  writeFileSync(file, `endpoint,psk,server_key,${columns}\n${lines.join("\n")}\n`);
  const { code, stderr } = await system.berth("import", file);
  assert.equal(code, 0, stderr);
  return file;
}

/** The instance that DNS leads a device to. */
async function led(system: System, { endpoint }: TestDevice): Promise<string> {
  const { names = [] } = await system.device(endpoint);
  const { ipv4 } = await resolveHost(names[0] ?? "", [`${system.dns.address}:${system.dns.port}`]);
  const [id = "nowhere"] = [...system.addresses].find(([, address]) => address === ipv4[0]) ?? [];
  return id;
}

async function instances(system: System): Promise<readonly InstanceView[]> {
  return (await system.client.call("instances", {})).instances;
}

/** Lets all devices of a file bootstrap, and tells how many each instance completed. */
async function bootstrapAll(t: TestContext, system: System, file: string, devices: number): Promise<number[]> {
  const fleet = startBerth(["fleet", file, "--config", system.config, "--json"]);
  t.after(() => fleet.stop("SIGKILL"));
  await allCompleted(fleet, devices);
  await balancerKnows(system, devices);
  return (await instances(system)).map(({ completed }) => completed);
}

test("geographic, client based and pinned: devices of two regions land in their regions, a group in its pool", async (t) => {
  const system = await start(t, {
    yaml: `allocation:
  rules: [{ group: gold, pool: gold }, { endpoint: "urn:test:003*", instances: [bs-1] }]
  columns: { region: region, latitude: lat, longitude: lon, pin: server }
`,
    instanceOptions: {
      "bs-1": ["--region", "eu", "--location", "50.1,8.7"],
      "bs-2": ["--region", "eu", "--location", "51.5,-0.1", "--pool", "gold"],
      "bs-3": ["--region", "us", "--location", "37.4,-122.1"],
    },
  });
  const devices = testDevices(36);
  const [byRegion, byPlace, byGroup, pinned, byName] = [0, 12, 20, 24, 29].map((from, place) =>
    devices.slice(from, [12, 20, 24, 29, 36][place]),
  ) as [TestDevice[], TestDevice[], TestDevice[], TestDevice[], TestDevice[]];
  const rows: (readonly [TestDevice, string])[] = [
    ...byRegion.map((device, index) => [device, index % 2 === 0 ? "eu,,,," : "us,,,,"] as const),
    ...byPlace.map((device, index) => [device, index % 2 === 0 ? ",48.9,2.4,," : ",47.6,-122.3,,"] as const),
    ...byGroup.map((device) => [device, ",,,gold,"] as const),
    ...pinned.map((device) => [device, "eu,,,,bs-3"] as const),
    ...byName.map((device) => [device, ",,,,"] as const),
  ];
  const file = await importRows(system, "region,lat,lon,group,server", rows);
  for (const [index, device] of byRegion.entries()) {
    const id = await led(system, device);
    assert.ok(index % 2 === 0 ? ["bs-1", "bs-2"].includes(id) : id === "bs-3", `${device.endpoint} at ${id}`);
  }
  for (const [index, device] of byPlace.entries()) assert.equal(await led(system, device), index % 2 === 0 ? "bs-2" : "bs-3");
  for (const device of byGroup) assert.equal(await led(system, device), "bs-2");
  for (const device of pinned) assert.equal(await led(system, device), "bs-3");
  for (const device of byName) assert.equal(await led(system, device), "bs-1");
  const served = await bootstrapAll(t, system, file, 36);
  assert.equal(served[2], 6 + 4 + 5, "and there they were served");
});

test("weighted: weights 1:2:4 give 1:2:4, and an operator's weight outranks them", async (t) => {
  const system = await start(t, {
    yaml: "allocation: { policy: weighted }\n",
    instanceOptions: { "bs-1": ["--weight", "1"], "bs-2": ["--weight", "2"], "bs-3": ["--weight", "4"] },
  });
  const file = await importRows(
    system,
    "note",
    testDevices(70).map((device) => [device, ""] as const),
  );
  // Instances that are just up have much to do; it counts at the next time.
  await until(async () => (await instances(system)).every(({ load }) => load.cpu < 0.5), "they are at rest");
  assert.equal((await system.berth("rotate")).code, 0);
  const pending = async (): Promise<number[]> => (await instances(system)).map((view) => view.pending);
  assert.deepEqual(await pending(), [10, 20, 40]);
  assert.equal((await system.berth("instances", "weight", "bs-3", "0")).code, 0);
  const [one = 0, two = 0, three = -1] = await pending();
  assert.deepEqual([one + two, three], [70, 0]);
  assert.equal((await system.berth("instances", "weight", "bs-3", "auto")).code, 0);
  assert.deepEqual(await pending(), [10, 20, 40]);
  assert.deepEqual(await bootstrapAll(t, system, file, 70), [10, 20, 40]);
});

test("least connections: a busy instance is avoided until it is free again", async (t) => {
  const system = await start(t, { nosec: true, yaml: "allocation: { policy: least-connections }\nsession: { deadline: 60s }\n" });
  const silent = testDevices(60).slice(0, 40);
  const lines = silent.map(({ endpoint }) => `${endpoint},nosec,${SERVER_KEY},${SERVER_KEY}`);
  const file = join(system.folder, "silent.csv");
  writeFileSync(file, `endpoint,mode,secret,server_key\n${lines.join("\n")}\n`);
  assert.equal((await system.berth("import", file)).code, 0);
  const views = await Promise.all(silent.map(({ endpoint }) => system.device(endpoint)));
  const theirs = views.filter(({ instance }) => instance === "bs-1");
  for (const { endpoint } of theirs) {
    const device = await UdpDevice.open({ port: 5683, address: system.address("bs-1"), answer: () => null });
    t.after(() => device.close());
    assert.equal(await device.bootstrap(endpoint), "2.04");
  }
  await until(async () => (await system.status()).devices.commenced === theirs.length, "they are in progress");
  await importRows(
    system,
    "note",
    testDevices(60)
      .slice(40)
      .map((device) => [device, ""] as const),
  );
  const homes = await Promise.all(
    testDevices(60)
      .slice(40)
      .map((device) => led(system, device)),
  );
  assert.equal(homes.filter((id) => id === "bs-1").length, 0, "nobody new goes to the busy one");
});

test("round robin: devices are dealt in turn, and meet another instance at each rotation", async (t) => {
  const system = await start(t, { yaml: "allocation: { policy: round-robin }\n" });
  const devices = testDevices(9);
  await importRows(
    system,
    "note",
    devices.map((device) => [device, ""] as const),
  );
  const first = await Promise.all(devices.map((device) => led(system, device)));
  for (const start of [0, 3, 6])
    assert.equal(new Set(first.slice(start, start + 3)).size, 3, "three in a row at three instances");
  assert.equal((await system.berth("rotate")).code, 0);
  const second = await Promise.all(devices.map((device) => led(system, device)));
  for (const start of [0, 3, 6]) assert.equal(new Set(second.slice(start, start + 3)).size, 3);
});

test("a policy of the user's own decides: a module by its path", async (t) => {
  const system = await System.start({ instances: 2, yaml: "allocation: { policy: { module: policy.mjs } }\n", devices: 0 }).catch(
    (error: unknown) => error,
  );
  assert.match(String(system), /allocation\.policy\.module: .*policy\.mjs/, "one that is not there is said at the start");
  const folder = await start(t, {
    instances: 2,
    yaml: `allocation: { policy: { module: "${join(import.meta.dirname, "last-instance.mjs")}" } }\n`,
  });
  await importRows(
    folder,
    "note",
    testDevices(7).map((device) => [device, ""] as const),
  );
  assert.deepEqual(
    (await instances(folder)).map(({ pending }) => pending),
    [0, 7],
  );
});
