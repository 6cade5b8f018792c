import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ipv6Bytes, ipv6Text, isWithin, nameToWire, parsePrefix, readNameStates, ZoneTable } from "../../src/dns/index.ts";

const KEY = Uint8Array.from({ length: 16 }, (_, index) => 7 * index);

/** The address of a relative name at an instance with this prefix, as hex. */
function addressOf(relative: string, prefix: string, addressKey: Uint8Array = KEY): string {
  const table = new ZoneTable({ zone: "bs.example.com", seed: new Uint8Array(16), addressKey });
  table.setInstance(3, { prefix });
  const wire = nameToWire(relative);
  return Buffer.from(table.addresses.ipv6For(3, wire, wire.length - 1) ?? []).toString("hex");
}

/** Any prefix that is taken, and its length. */
const prefixes = fc
  .tuple(fc.uint8Array({ minLength: 16, maxLength: 16 }), fc.integer({ min: 32, max: 96 }))
  .map(([bytes, length]) => {
    const first = bytes.map((byte, index) => byte & ~(0xff >> Math.min(8, Math.max(0, length - 8 * index))));
    const groups = Array.from({ length: 8 }, (_, at) =>
      Buffer.from(first)
        .readUInt16BE(2 * at)
        .toString(16),
    );
    return `${groups.join(":")}/${length}`;
  });
const labels = fc.stringMatching(/^[a-z0-9]{1,40}$/);

test("R5: a name has one address within the prefix, the same at all times, never that of all routers", () => {
  fc.assert(
    fc.property(prefixes, labels, (prefix, label) => {
      const address = Buffer.from(addressOf(label, prefix), "hex");
      assert.ok(isWithin(address, 0, parsePrefix(prefix)));
      assert.notDeepEqual([...address], [...parsePrefix(prefix).first]);
      assert.equal(addressOf(label, prefix), address.toString("hex"));
    }),
  );
});

test("R5: what is behind the prefix depends on name and key alone, and says neither", () => {
  const of = (prefix: string): string => addressOf("dev1", prefix).slice(16);
  assert.equal(of("2001:db8:1:2::/64"), of("fd00:1:2:3::/64"), "an instance that gets another prefix");
  assert.notEqual(addressOf("dev1", "fd00::/64"), addressOf("dev1", "fd00::/64", new Uint8Array(16)), "another fleet");
  assert.equal(addressOf("dev1", "2001:db8::/32").slice(8).length, 24);
});

test("R5: addresses of names that follow each other have nothing in common: each bit is as often 0 as 1", () => {
  const names = 4096;
  const addresses = Array.from({ length: names }, (_, at) => BigInt(`0x${addressOf(`dev${at}`, "2001:db8::/64").slice(16)}`));
  assert.equal(new Set(addresses).size, names);
  for (let bit = 0n; bit < 64n; bit++) {
    const ones = addresses.filter((address) => (address >> bit) & 1n).length;
    const flips = addresses.filter((address, at) => ((address ^ (addresses[at - 1] ?? 0n)) >> bit) & 1n).length;
    // Six standard deviations of a fair coin.
    for (const count of [ones, flips]) assert.ok(Math.abs(count - names / 2) < 6 * Math.sqrt(names / 4), `bit ${bit}: ${count}`);
  }
});

test("R5: an instance has one IPv6 address or a prefix, and each error names what was given", () => {
  const table = new ZoneTable({ zone: "bs.example.com", seed: new Uint8Array(16), addressKey: KEY });
  const refuses = (prefix: string, reason: RegExp): void => assert.throws(() => table.setInstance(0, { prefix }), reason, prefix);
  refuses("2001:db8::1/64", /"2001:db8::1\/64": it has bits set behind its first 64/);
  refuses("2001:db8::/128", /"2001:db8::\/128": a prefix has 32 to 96 bits, \/64 being usual; this one has 128/);
  refuses("192.0.2.0/24", /this one has 24/);
  refuses("192.0.2.0/64", /"192.0.2.0" is not an IPv6 address/);
  refuses("2001:db8::", /"2001:db8::" is not an IPv6 prefix such as/);
  assert.throws(() => table.setInstance(0, { ipv6: "::1", prefix: "2001:db8::/64" }), /not both; got ::1 and 2001:db8::\/64/);
  const keyless = new ZoneTable({ zone: "bs.example.com", seed: new Uint8Array(16) });
  assert.throws(() => keyless.setInstance(0, { prefix: "2001:db8::/64" }), /no key to make addresses/);
  assert.equal(isWithin(ipv6Bytes("2001:db8:0:1::"), 0, parsePrefix("2001:db8::/63")), true);
  assert.equal(isWithin(ipv6Bytes("2001:db8:0:2::"), 0, parsePrefix("2001:db8::/63")), false);
});

test("RFC 5952: an IPv6 address becomes the text that everybody writes, and is read from any", () => {
  const cases = [
    "::",
    "::1",
    "1::",
    "2001:db8::1:0:0:1",
    "2001:db8:0:1:1:1:1:1",
    "fe80::a:0:0:b",
    "1:2:3:4:5:6:7:8",
    "64:ff9b::c000:201",
  ];
  for (const text of cases) assert.equal(ipv6Text(Uint8Array.from([9, ...ipv6Bytes(text)]), 1), text);
  assert.equal(ipv6Text(ipv6Bytes("2001:DB8:0:0:0:0:192.0.2.1")), "2001:db8::c000:201");
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), (bytes) => {
      const text = ipv6Text(bytes);
      assert.equal(text, new URL(`http://[${text}]`).hostname.slice(1, -1), "as the WHATWG's URL writes it");
      assert.deepEqual(ipv6Bytes(text), bytes);
    }),
  );
});

test("R5: registries are given the same addresses as the nameserver gives, and all anew when the prefix changes", () => {
  const table = new ZoneTable({ zone: "bs.example.com", seed: new Uint8Array(16), addressKey: KEY, followed: true });
  table.setInstance(0, { ipv4: "192.0.2.1", prefix: "2001:db8::/64" });
  const epoch = table.beginGeneration(1, 10);
  const hosts = Array.from({ length: 10 }, (_, index) => `dev${index}.bs.example.com`);
  for (const host of hosts) epoch.add(host, 0);
  table.publish(epoch);
  for (const prefix of ["2001:db8::/64", "fd00::/64"]) {
    // The first time it is what it was; the feed has the names as they are new.
    table.setInstance(0, { ipv4: "192.0.2.1", prefix });
    const states = [...readNameStates(table.feed?.take(100) ?? new Uint8Array(0))];
    assert.equal(states.length, hosts.length);
    for (const { name, ipv6 } of states) {
      assert.deepEqual(ipv6?.slice(), table.addresses.ipv6For(0, name, name.length)?.slice());
      assert.ok(isWithin(ipv6 ?? new Uint8Array(16), 0, parsePrefix(prefix)));
    }
    assert.equal(new Set(states.map(({ ipv6 }) => ipv6Text(ipv6 ?? new Uint8Array(16)))).size, hosts.length);
  }
});
