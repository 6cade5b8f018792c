import assert from "node:assert/strict";
import { test } from "node:test";
import { builtInRecipe, prepareNaming } from "../../src/naming/index.ts";

test("a static URI with a placeholder says its scheme and port as any other (N5)", () => {
  const recipe = builtInRecipe("berth-1");
  const { scheme, port, parentDomain } = prepareNaming(recipe, "coaps://bs{token}.bs.example.com:5690");
  assert.deepEqual({ scheme, port, parentDomain }, { scheme: "coaps", port: 5690, parentDomain: "bs.example.com" });
  assert.equal(prepareNaming(recipe, "coap://bs.example.com").port, undefined);
});
