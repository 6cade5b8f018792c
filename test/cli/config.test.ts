import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { berth, berthMany, type Ended } from "../support/program.ts";

/* What is wrong with a configuration is said in one line at start, with exit code 2. */

const folder = mkdtempSync(join(tmpdir(), "berth-config-"));
after(() => rmSync(folder, { recursive: true }));
for (const [name, mode] of [["operator.token"], ["instance.token"], ["berth.key"], ["open.key", 0o644]] as const) {
  writeFileSync(join(folder, name), "0123456789abcdef".repeat(4), { mode: mode ?? 0o600 });
}
writeFileSync(join(folder, "short.token"), "swordfish");

/** A configuration that would do, but for what `changes` sets. */
function configWith(changes: object): string {
  const whole = {
    uri: "coaps://bs.fleet.test:5684",
    dns: { listen: ["127.0.0.1:1"] },
    storage: { folder: "data", key: "berth.key" },
    control: { listen: "127.0.0.1:1", operatorToken: "operator.token", instanceToken: "instance.token" },
    ...changes,
  };
  return JSON.stringify(whole);
}

/** Writes a configuration and gives the command that starts a balancer with it. */
function commandFor(text: string, index: number): string[] {
  const path = join(folder, `berth-${index}.yaml`);
  writeFileSync(path, text);
  return ["balancer", "--config", path];
}

const tokens = { operatorToken: "operator.token", instanceToken: "instance.token" };
const CASES: readonly [what: string, text: string, says: RegExp][] = [
  ["an unknown key", configWith({ storge: {} }), /berth-\d+\.yaml: unknown key "storge", did you mean "storage"\?/],
  ["an unknown key below another", configWith({ dns: { tll: "5s" } }), /dns: unknown key "tll", did you mean "ttl"\?/],
  ["no duration", configWith({ dns: { ttl: "five" } }), /dns\.ttl: is not a duration; write for example 30s.* \(got "five"\)/],
  [
    "no address",
    configWith({ dns: { listen: ["localhost:53"] } }),
    /dns\.listen\[0\]: is no address and port; write for example/,
  ],
  ["another protocol", configWith({ uri: "http://bs.fleet.test" }), /uri: "http:\/\/bs\.fleet\.test" does not begin with coaps:/],
  ["a broken file", "uri: [", /berth-\d+\.yaml: .* at line \d, column \d\n$/],
  [
    "a tag that means nothing",
    "uri: coaps://bs.fleet.test\nzone: !x fleet.test",
    /berth-\d+\.yaml: Unresolved tag: !x at line 2, column 7\n$/,
  ],
  ["an empty file", "", /berth-\d+\.yaml: .*expected object/],
  ["no such recipe", configWith({ recipe: "berth-2" }), /no built-in recipe "berth-2"; did you mean "berth-1"\?/],
  ["a wrong recipe", configWith({ recipe: { version: 1 } }), /recipe: function: /],
  ["no such file", configWith({ recipe: "./no.json" }), /no\.json: there is no such file/],
  [
    "a host without domain",
    configWith({ uri: "coaps://bs:5684" }),
    /its host has no domain behind the part that varies; set zone/,
  ],
  [
    "a timer shorter than the TTL",
    configWith({ rotation: { every: "10s" } }),
    /^berth: rotation\.every: 10s is shorter than dns\.ttl, 30s: resolvers would give out names' old addresses\n$/,
  ],
  [
    "epochs shorter than the TTL",
    configWith({ dns: { ttl: "2h" }, epochs: { grace: "4h" } }),
    /^berth: recipe: its time unit, 1h, is shorter than dns\.ttl, 2h: names would end before resolvers forget them\n$/,
  ],
  ["a lead shorter than the skew", configWith({ epochs: { lead: "1m" } }), /epochs\.lead: 1m is shorter than epochs\.skew, 5m/],
  ["a TTL of 0", configWith({ dns: { ttl: "0s" } }), /dns\.ttl: must be more than 0/],
  ["no key", configWith({ storage: { folder: "data", key: "no.key" } }), /no such key file; make one with: openssl rand/],
  [
    "a key for all to see",
    configWith({ storage: { folder: "data", key: "open.key" } }),
    /others can read this key; run: chmod 600/,
  ],
  ["no storage", configWith({ storage: {} }), /storage: give a folder for the embedded database, or a postgres URL/],
  [
    "two storages",
    configWith({ storage: { folder: "a", postgres: "postgres://x" } }),
    /storage: give a folder or a postgres URL, not/,
  ],
  ["no token", configWith({ control: { operatorToken: "operator.token" } }), /control\.instanceToken: name the file/],
  ["no token file", configWith({ control: { ...tokens, operatorToken: "no.token" } }), /no\.token: there is no such file/],
  ["a short token", configWith({ control: { ...tokens, operatorToken: "short.token" } }), /a token needs 16 characters or more/],
  [
    "a control API without TLS for all to reach",
    configWith({ control: { ...tokens, listen: "0.0.0.0:8690" } }),
    /control\.listen: 0\.0\.0\.0 can be reached from outside, and keys travel over it: set control\.tls/,
  ],
];

describe("a balancer does not start with", () => {
  let results: readonly Ended[] = [];
  before(async () => {
    results = await berthMany(CASES.map(([, text], index) => commandFor(text, index)));
  });
  for (const [index, [what, , says]] of CASES.entries()) {
    test(what, () => {
      const { code, stdout = "", stderr = "" } = results[index] ?? {};
      assert.equal(code, 2, stderr);
      assert.equal(stdout, "");
      assert.match(stderr, /^berth: [^\n]+\n$/);
      assert.match(stderr, says);
      assert.doesNotMatch(stderr, /swordfish|0123456789abcdef/, "no secret is repeated");
    });
  }
});

test("without a configuration: how to get one", async () => {
  const { code, stderr } = await berth(["balancer"], { cwd: folder });
  assert.equal(code, 2);
  assert.equal(stderr, "berth: there is no berth.yaml here; give one with --config FILE, or start from examples/berth.yaml\n");
});

test("serve without instances: where to list them", async () => {
  const path = join(folder, "none.yaml");
  writeFileSync(path, configWith({}));
  const { code, stderr } = await berth(["serve", "--config", path]);
  assert.equal(code, 2);
  assert.match(stderr, /^berth: .*none\.yaml: instances\.local names 0 instances; list the id and address of each to run\n$/);
});

test("an instance for coap: has to be told that this is meant", async () => {
  const path = join(folder, "coap.yaml");
  writeFileSync(path, configWith({ uri: "coap://bs.fleet.test" }));
  const { code, stderr } = await berth(["instance", "--config", path, "--id", "a", "--listen", "127.0.0.1"]);
  assert.equal(code, 2);
  assert.match(stderr, /^berth: uri: coap: is without security; say --nosec if .*\n$/);
});
