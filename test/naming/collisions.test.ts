import assert from "node:assert/strict";
import { test } from "node:test";
import { seededRandom } from "../../src/lib/random.ts";
import {
  builtInRecipe,
  collisionWarning,
  estimateCollisions,
  parseRecipe,
  type Recipe,
  takeToken,
  tokenSpaceBits,
} from "../../src/naming/index.ts";

const NI_3 = builtInRecipe("ni-3");
const withToken = (name: string, token: object): Recipe => parseRecipe({ version: 1, function: name, parameters: [], token });

test("bits of a token, also where the last character carries fewer", () => {
  const rows: [string, object, number][] = [
    ["hmac-sha-256", { encoding: "base32", first: 16 }, 80],
    ["hmac-sha-256", { encoding: "base32", all: true }, 256],
    ["hmac-sha-256", { encoding: "base32", last: 1 }, 1],
    ["hmac-sha-256", { encoding: "base64url", last: 2 }, 10],
    ["hmac-sha-256", { encoding: "hex", positions: [3, 0, 9] }, 12],
    ["sha-256-32", { encoding: "base32", last: 2 }, 7],
    ["sha-256", { encoding: "decimal", last: 3 }, 3 * Math.log2(10)],
  ];
  for (const [name, token, bits] of rows)
    assert.ok(Math.abs(tokenSpaceBits(withToken(name, token)) - bits) < 1e-6, JSON.stringify(token));
  // 2^256 starts with 115..., so its first digit is 0 in 86.4 % of all draws and 1 in the others: 0.39 bits.
  assert.ok(Math.abs(tokenSpaceBits(withToken("sha-256", { encoding: "decimal", first: 1 })) - 0.387) < 0.001);
  assert.ok(tokenSpaceBits(withToken("sha-256-32", { encoding: "decimal", all: true })) <= 32);
});

test("the estimate agrees with a draw", () => {
  const random = seededRandom(7);
  for (const [token, names] of [
    [{ encoding: "decimal", last: 3 }, 200],
    [{ encoding: "hex", first: 3 }, 1000],
    [{ encoding: "decimal", positions: [0, 40, 41] }, 60],
  ] as const) {
    const recipe = withToken("sha-256", token);
    const rounds = 60;
    let sharing = 0;
    for (let round = 0; round < rounds; round += 1) {
      const counts = new Map<string, number>();
      for (let i = 0; i < names; i += 1) {
        const drawn = takeToken(recipe.token, random.bytes(32));
        counts.set(drawn, (counts.get(drawn) ?? 0) + 1);
      }
      for (const count of counts.values()) sharing += count > 1 ? count : 0;
    }
    const { sharing: expected } = estimateCollisions(recipe, names);
    assert.ok(
      Math.abs(sharing / rounds - expected) < 0.15 * expected,
      `${JSON.stringify(token)}: ${sharing / rounds} against ${expected}`,
    );
  }
});

test("the warning names the numbers, and comes only when names must be expected to be shared", () => {
  assert.equal(
    collisionWarning(NI_3, 200),
    "recipe ni-3: 200 live names are too many for its 1000 different tokens (9.97 bits): 36.1 devices can be expected to share a name " +
      "with another one (19.9 pairs). Take more characters of the derivative.",
  );
  assert.equal(collisionWarning(NI_3, 10), undefined);
  assert.equal(collisionWarning(NI_3, 0), undefined);
  assert.equal(collisionWarning(builtInRecipe("berth-1"), 1e9), undefined);
  assert.match(
    collisionWarning(withToken("sha-256", { encoding: "base32", first: 6 }), 1e6) ?? "",
    /1\.1e\+9 different tokens \(30 bits\)/,
  );
});
