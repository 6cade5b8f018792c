import assert from "node:assert/strict";
import { createHash, createHmac, hkdfSync } from "node:crypto";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fromHex, toHex, utf8 } from "../../src/lib/bytes.ts";
import {
  BUILT_IN_RECIPES,
  builtInRecipe,
  derivative,
  nameKey,
  parseRecipe,
  parseRecipeText,
  stepAt,
  takeToken,
  temporaryUri,
} from "../../src/naming/index.ts";
import { vectors } from "./vectors.ts";

const page = readFileSync(new URL("../../docs/naming.md", import.meta.url), "utf8");
const blocks = (language: string): string[] =>
  [...page.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, "gms"))].map(([, text = ""]) => text);

test("every worked example on the page is right in each of its lines", () => {
  const examples = blocks("example");
  assert.equal(examples.length, 6);
  for (const example of examples) {
    const shown = new Map([...example.matchAll(/^(.+?) += (.*)$/gm)].map(([, key = "", value = ""]) => [key, value]));
    const given = (key: string): string => shown.get(key) ?? "";
    const recipe = given("recipe").startsWith("{") ? parseRecipe(JSON.parse(given("recipe"))) : builtInRecipe(given("recipe"));
    const secret = fromHex(given("secret"));
    const input = {
      secret,
      endpoint: given("endpoint"),
      ...(shown.has("instant") ? { instant: Date.parse(given("instant")) } : {}),
      ...(shown.has("counter") ? { counter: Number(given("counter")) } : {}),
    };
    const step = stepAt(recipe, input);
    const key = nameKey(recipe, secret);
    const made = derivative(recipe, key, input.endpoint, step);
    const text = recipe.token.encoding;
    const hmac = (hmacKey: Uint8Array, message: string): string => createHmac("sha256", hmacKey).update(message).digest("hex");
    const computed: Record<string, string> = {
      "rounded time": String(step.time),
      prk: toHex(createHmac("sha256", new Uint8Array(32)).update(secret).digest()),
      "name key": toHex(key),
      random: hmac(key, `berth/random/v1|${step.counter}`).slice(0, given("random").length),
      "message bytes": toHex(utf8(given("message"))),
      derivative: toHex(made),
      [`as ${text}`]: takeToken({ encoding: text, all: true }, made),
      token: takeToken(recipe.token, made),
      "temporary URI": temporaryUri(recipe, given("static URI"), input).uri,
    };
    for (const [line, value] of Object.entries(computed)) {
      if (shown.has(line)) assert.equal(given(line), value, `${line} in\n${example}`);
    }
    const message = utf8(given("message"));
    const oracle = shown.has("input")
      ? createHash("sha256")
          .update(fromHex(given("input")))
          .digest("hex")
      : recipe.function === "hkdf-sha-256"
        ? toHex(new Uint8Array(hkdfSync("sha256", key, "", message, 32)))
        : hmac(key, given("message"));
    assert.ok(oracle.startsWith(given("derivative")), `derivative in\n${example}`);
    assert.ok(!shown.has("input") || given("input").includes(toHex(message)), `input in\n${example}`);
    const inputs = ["recipe", "static URI", "secret", "endpoint", "instant", "counter", "message", "input"];
    for (const line of shown.keys()) assert.ok(line in computed || inputs.includes(line), `nobody checks "${line}"`);
  }
});

test("the recipes written out on the page are the built-in ones", () => {
  const written = blocks("yaml").map((text) => parseRecipeText(text, "docs/naming.md"));
  assert.deepEqual(written, [...BUILT_IN_RECIPES.values()]);
});

test("the page lists every error code there is a vector for", () => {
  for (const { code } of vectors.errors) assert.match(page, new RegExp(`^\\| \`${code}\` \\|`, "m"));
});
