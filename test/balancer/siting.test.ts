import assert from "node:assert/strict";
import { test } from "node:test";
import { distance, eligible, type InstanceFacts, Siter, type SitingOptions } from "../../src/balancer/allocation/index.ts";
import { NO_LOAD } from "../../src/control/index.ts";

const instance = (index: number, facts: Partial<InstanceFacts> = {}): InstanceFacts => ({
  index,
  id: `bs-${index}`,
  weight: 1,
  pools: [],
  pending: 0,
  commenced: 0,
  load: NO_LOAD,
  ...facts,
});

/** Ids of who may serve a device, step by step. */
function stepsFor(
  options: Partial<SitingOptions>,
  device: { endpoint?: string; group?: string; attributes?: Record<string, string> },
  serving: readonly InstanceFacts[],
  nearest = 1,
): string[][] {
  const siter = new Siter({ rules: [], columns: {}, ...options });
  const { endpoint = "urn:dev:1", group = null, attributes = {} } = device;
  return eligible(siter.siting({ endpoint, group, attributes }), serving, nearest).map((step) => step.map(({ id }) => id));
}

const three = [instance(1, { pools: ["gold"] }), instance(2), instance(3)];

test("without rules every instance may serve every device (B3)", () => {
  assert.deepEqual(stepsFor({}, {}, three), [["bs-1", "bs-2", "bs-3"]]);
});

test("the first rule that matches endpoint, group and attributes counts", () => {
  const rules = [
    { endpoint: "urn:imei:35?9*", pool: "gold" },
    { group: "meters", attributes: { tier: "gold", plan: "a" }, instances: ["bs-2", "bs-3"] },
    { group: "meters", instances: ["bs-3"] },
  ];
  assert.deepEqual(stepsFor({ rules }, { endpoint: "urn:imei:3509123", group: "meters" }, three), [["bs-1"]]);
  const attributes = { tier: "gold", plan: "a", more: "b" };
  assert.deepEqual(stepsFor({ rules }, { group: "meters", attributes }, three), [["bs-2", "bs-3"]]);
  assert.deepEqual(stepsFor({ rules }, { group: "meters", attributes: { tier: "gold" } }, three), [["bs-3"]]);
  assert.deepEqual(stepsFor({ rules }, { endpoint: "urn:imei:3599" }, three), [["bs-1"]]);
  assert.equal(stepsFor({ rules }, { endpoint: "xurn:imei:3599" }, three)[0]?.length, 3, "the pattern is of the whole name");
});

test("a pattern is text but for * and ?", () => {
  const rules = [{ endpoint: "a.c(1)*", instances: ["bs-2"] }];
  assert.deepEqual(stepsFor({ rules }, { endpoint: "a.c(1)\nx" }, three), [["bs-2"]]);
  assert.equal(stepsFor({ rules }, { endpoint: "abc(1)" }, three)[0]?.length, 3);
});

test("where none of its instances serves others do, unless the rule is strict", () => {
  const gone = three.slice(0, 2);
  assert.deepEqual(stepsFor({ rules: [{ group: "g", instances: ["bs-3"] }] }, { group: "g" }, gone), [["bs-1", "bs-2"]]);
  assert.deepEqual(stepsFor({ rules: [{ group: "g", instances: ["bs-3"], strict: true }] }, { group: "g" }, gone), []);
});

test("a column pins a device to an instance, over any rule, while that serves", () => {
  const options = { rules: [{ pool: "gold" }], columns: { pin: "server", pool: "pool" } };
  assert.deepEqual(stepsFor(options, { attributes: { server: "bs-3" } }, three), [["bs-3"]]);
  assert.deepEqual(stepsFor(options, { attributes: { server: "bs-9" } }, three), [["bs-1"]]);
  assert.deepEqual(stepsFor(options, { attributes: { server: "" } }, three), [["bs-1"]]);
});

test("devices of a region go to its instances first, and to others when there is no room", () => {
  const serving = [instance(1, { region: "eu" }), instance(2, { region: "us" }), instance(3, { region: "eu" })];
  const columns = { region: "region" };
  assert.deepEqual(stepsFor({ columns }, { attributes: { region: "eu" } }, serving), [["bs-1", "bs-3"], ["bs-2"]]);
  assert.deepEqual(stepsFor({ columns }, { attributes: { region: "asia" } }, serving), [["bs-1", "bs-2", "bs-3"]]);
});

test("by coordinates the nearest come first, and those that are nowhere last", () => {
  const serving = [
    instance(1),
    instance(2, { location: [37.4, -122.1] }),
    instance(3, { location: [50.1, 8.7] }),
    instance(4, { location: [51.5, -0.1] }),
  ];
  const columns = { latitude: "lat", longitude: "lon" };
  const berlin = { attributes: { lat: "52.52", lon: "13.4" } };
  assert.deepEqual(stepsFor({ columns }, berlin, serving), [["bs-3"], ["bs-4"], ["bs-2"], ["bs-1"]]);
  assert.deepEqual(stepsFor({ columns }, berlin, serving, 2), [["bs-3", "bs-4"], ["bs-2"], ["bs-1"]]);
});

test("distances are those of a globe, over the date line too", () => {
  assert.ok(Math.abs(distance([52.52, 13.405], [48.8566, 2.3522]) - 878) < 5, "Berlin to Paris");
  assert.ok(Math.abs(distance([0, 179], [0, -179]) - 222) < 1);
  assert.ok(Math.abs(distance([90, 0], [-90, 0]) - 20015) < 1);
});

test("coordinates that are none are refused, with column and value", () => {
  const columns = { latitude: "lat", longitude: "lon" };
  for (const lat of ["north", "91", "NaN"])
    assert.throws(() => stepsFor({ columns }, { attributes: { lat, lon: "1" } }, three), new RegExp(`lat: "${lat}"`));
  assert.throws(() => stepsFor({ columns }, { attributes: { lat: "1" } }, three), /lat and lon: give both/);
});
