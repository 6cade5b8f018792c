import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { berthMany, type Ended } from "../support/program.ts";

/* Where an instance is: what cannot be is said at start, naming the option or the key, and the value. */

const folder = mkdtempSync(join(tmpdir(), "berth-addresses-"));
after(() => rmSync(folder, { recursive: true }));

/** A configuration with these instances; gives its path. */
function configWith(...local: readonly object[]): string {
  const path = join(mkdtempSync(join(folder, "at-")), "berth.yaml");
  writeFileSync(join(folder, "token"), "0123456789abcdef".repeat(4), { mode: 0o600 });
  const control = { listen: "127.0.0.1:1", operatorToken: "../token", instanceToken: "../token" };
  writeFileSync(path, JSON.stringify({ uri: "coaps://bs.fleet.test:5684", control, instances: { local } }));
  return path;
}

const plain = configWith();
const instance = (...args: readonly string[]): string[] => ["instance", "--config", plain, "--id", "a", ...args];
const serve = (...local: readonly object[]): string[] => ["serve", "--config", configWith(...local)];
const P = "2001:db8:1:2::/64";

type Case = readonly [what: string, args: readonly string[], says: RegExp];
const CASES: readonly Case[] = [
  ["no address at all", instance(), /^berth: --listen: give an address to serve devices on, or a --prefix\n$/],
  ["no address", instance("--listen", "bs.fleet.test"), /^berth: --listen: "bs\.fleet\.test" is no IPv4 or IPv6 address\n$/],
  [
    "a place that is no address",
    instance("--listen", "::1", "--advertise", "here"),
    /--advertise: "here" is no IPv4 or IPv6 address/,
  ],
  [
    "two addresses of a family",
    instance("--listen", "127.0.0.1", "--listen", "127.0.0.2", "--listen", "::1"),
    /--advertise: give one IPv4 address, devices must not choose \(got 127\.0\.0\.1, 127\.0\.0\.2\)/,
  ],
  [
    "two places of a family",
    instance("--listen", "::1", "--advertise", "2001:db8::1", "2001:db8::2"),
    /--advertise: give one IPv6 address, devices must not choose \(got 2001:db8::1, 2001:db8::2\)/,
  ],
  [
    "all addresses of the host",
    instance("--listen", "::"),
    /--advertise: devices do not reach ::; say with --advertise where they do/,
  ],
  [
    "an address of a link only",
    instance("--listen", "::1", "--advertise", "fe80::1%eth0"),
    /--advertise: devices do not reach fe80::1%eth0; it names no host/,
  ],
  [
    "no prefix",
    instance("--prefix", "2001:db8::"),
    /^berth: --prefix: "2001:db8::" is not an IPv6 prefix such as 2001:db8:1:2::\/64\n$/,
  ],
  [
    "a prefix with more bits",
    instance("--prefix", "2001:db8::1/64"),
    /--prefix: "2001:db8::1\/64": it has bits set behind its first 64/,
  ],
  [
    "a prefix that is too long",
    instance("--prefix", "2001:db8::/120"),
    /"2001:db8::\/120": a prefix has 32 to 96 bits.* has 120/,
  ],
  [
    "a prefix and an IPv6 address",
    instance("--prefix", P, "--listen", "127.0.0.1", "--listen", "::1"),
    /--prefix: devices get addresses in 2001:db8:1:2::\/64, so ::1 would be a second one of IPv6; leave one of them out/,
  ],
  [
    "a prefix and an IPv6 place",
    instance("--prefix", P, "--listen", "127.0.0.1", "--advertise", "2001:db8::7"),
    /so 2001:db8::7 would be a second one of IPv6/,
  ],
  ["neither address nor prefix", serve({ id: "a" }), /instances\.local\[0\]: give an address, or a prefix/],
  [
    "a prefix that is none in the configuration",
    serve({ id: "a", prefix: "2001:db8::1/64" }),
    /instances\.local\[0\]\.prefix: it has bits set behind its first 64 \(got "2001:db8::1\/64"\)/,
  ],
  [
    "an address that is none in the configuration",
    serve({ id: "a", address: ["127.0.0.1", "here"] }),
    /instances\.local\[0\]\.address: is no IPv4 or IPv6 address, nor a list of them/,
  ],
];

let results: readonly Ended[] = [];
before(async () => {
  results = await berthMany(CASES.map(([, args]) => args));
});
for (const [index, [what, , says]] of CASES.entries()) {
  test(`an instance does not start with ${what}`, () => {
    const { code, stderr = "" } = results[index] ?? {};
    assert.match(stderr, says);
    assert.match(stderr, /^berth: [^\n]+\n$/);
    assert.equal(code, 2);
  });
}
