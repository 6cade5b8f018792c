import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { builtInRecipe, hostPattern, parseRecipe, prepareNaming, type Recipe } from "../../src/naming/index.ts";

const PLAIN: Recipe = parseRecipe(
  {
    version: 1,
    function: "hmac-sha-256",
    parameters: [{ kind: "endpoint", inUri: { place: { in: "own-label", before: 0 }, encoding: "plain" } }],
    separator: "|",
    token: { encoding: "hex", last: 8 },
    place: { in: "label", label: 0, at: "end" },
  },
  "recipe",
);
const CASES: readonly (readonly [name: string, recipe: Recipe, uri: string])[] = [
  ["berth-1", builtInRecipe("berth-1"), "coaps://bs.fleet.test:5684"],
  ["ni-3", builtInRecipe("ni-3"), "coaps://BS{token}.fleet.test"],
  ["a recipe with the endpoint client name in the host", PLAIN, "coaps://bs.fleet.test"],
];

for (const [name, recipe, uri] of CASES) {
  test(`R3: each host name of ${name} looks like one`, () => {
    const namer = prepareNaming(recipe, uri);
    const pattern = hostPattern(recipe, uri);
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), fc.nat(), (secret, number) => {
        const host = namer.host(namer.nameKey(secret), `dev-${number}`, { time: number, counter: number });
        assert.match(host, pattern);
      }),
    );
  });
}

test("R3: records that somebody else keeps in the zone do not look like names of ours", () => {
  const pattern = hostPattern(builtInRecipe("berth-1"), "coaps://bs.fleet.test");
  for (const host of [
    "fleet.test",
    "ns1.fleet.test",
    "www.fleet.test",
    "bs.fleet.test",
    "bsabc.fleet.test",
    "_dmarc.fleet.test",
  ]) {
    assert.doesNotMatch(host, pattern);
  }
  assert.doesNotMatch("bsabcdefghijklmnop.fleetxtest", pattern);
});
