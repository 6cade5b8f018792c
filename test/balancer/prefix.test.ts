import assert from "node:assert/strict";
import { test } from "node:test";
import { InstanceRegistrationSchema } from "../../src/control/index.ts";
import { ipv6Bytes, ipv6Text, isWithin, nameToWire, parsePrefix, ZoneTable } from "../../src/dns/index.ts";
import { parseWith } from "../../src/lib/schema.ts";
import { endpointOf, World } from "./world.ts";

const ZONE = "example.com";
const PREFIX = "2001:db8:1:2::/64";

function table(seed: number): ZoneTable {
  return new ZoneTable({ zone: ZONE, seed: new Uint8Array(16).fill(seed), addressKey: new Uint8Array(16).fill(9) });
}

/** The address of the name that the device has now. */
function addressOf(world: World, endpoint: string): string {
  const host = world.nameOf(endpoint);
  const name = nameToWire(host.slice(0, -ZONE.length - 1));
  const address = world.table.addresses.ipv6For(world.table.get(host) ?? -1, name, name.length - 1);
  return address === undefined ? "none" : ipv6Text(address);
}

test("R5: devices of an instance with a prefix have an address of their own, also after a restart of the balancer", async () => {
  const world = await World.start({ table: table(1) });
  await world.import(5);
  const register = { params: { id: "bs-1" }, query: {}, body: { boot: "b", addresses: { ipv4: "192.0.2.1", prefix: PREFIX } } };
  await world.api.registerInstance(register);
  await world.tick();
  const endpoints = Array.from({ length: 5 }, (_, index) => endpointOf(index));
  const addresses = endpoints.map((endpoint) => addressOf(world, endpoint));
  assert.equal(new Set(addresses).size, 5);
  assert.deepEqual(world.balancer.instances.get("bs-1")?.addresses, { ipv4: "192.0.2.1", prefix: PREFIX });

  const next = await world.restart({ table: table(2) });
  assert.deepEqual(next.balancer.instances.get("bs-1")?.addresses, { ipv4: "192.0.2.1", prefix: PREFIX });
  await next.tick();
  assert.deepEqual(
    endpoints.map((endpoint) => addressOf(next, endpoint)),
    addresses,
  );

  await next.api.registerInstance({ ...register, body: { boot: "b", addresses: { prefix: "fd00:1:2:3::/64" } } });
  const moved = endpoints.map((endpoint) => addressOf(next, endpoint));
  for (const address of moved) assert.match(address, /^fd00:1:2:3:/, "all names follow");
});

test("R5: a registration has one address of a family at most, and an error names the field", () => {
  const parse = (addresses: object): unknown => parseWith(InstanceRegistrationSchema, { boot: "b", addresses }, "body");
  for (const good of [{ ipv4: "192.0.2.1" }, { ipv6: "::1" }, { prefix: PREFIX }, { ipv4: "192.0.2.1", prefix: PREFIX }]) {
    assert.doesNotThrow(() => parse(good));
  }
  assert.throws(() => parse({}), /body: addresses: give an ipv4 or an ipv6 address, or both/);
  assert.throws(() => parse({ ipv6: "::1", prefix: PREFIX }), /body: addresses: give an ipv6 address or a prefix, not both/);
  assert.throws(() => parse({ ipv4: ["192.0.2.1", "192.0.2.2"] }), /body: addresses\.ipv4: /);
  assert.throws(() => parse({ prefix: "2001:db8::" }), /body: addresses\.prefix: .* \(got "2001:db8::"\)/);
});

test("a prefix that cannot be used is refused, and what the instance had stays", async () => {
  const world = await World.start({ table: table(1) });
  await world.import(1);
  const register = (prefix: string): unknown =>
    world.api.registerInstance({ params: { id: "bs-1" }, query: {}, body: { boot: "b", addresses: { prefix } } });
  await register(PREFIX);
  await world.tick();
  await assert.rejects(async () => register("2001:db8::1/64"), /"2001:db8::1\/64": it has bits set behind its first 64/);
  assert.ok(isWithin(ipv6Bytes(addressOf(world, endpointOf(0))), 0, parsePrefix(PREFIX)));
});
