import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { berth } from "../support/program.ts";

const folder = mkdtempSync(join(tmpdir(), "berth-uri-"));
after(() => rmSync(folder, { recursive: true }));

const DEVICE = ["--endpoint", "urn:dev:1", "--secret", "00112233445566778899aabbccddeeff"];

async function uri(...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await berth(["uri", "--uri", "coaps://bs.myserver.com", ...DEVICE, ...args], { cwd: folder });
  assert.equal(code, 0, stderr);
  return stdout;
}

test("a device's URI is the same all through its hour, rounded to the nearest, and another one in the next", async () => {
  for (const [recipe, form] of [
    ["ni-3", /^coaps:\/\/bs\d{3}\.myserver\.com\n$/],
    ["berth-1", /^coaps:\/\/bs[a-z2-7]{16}\.myserver\.com\n$/],
  ] as const) {
    const at = (time: string): Promise<string> => uri("--recipe", recipe, "--at", `2026-01-01T${time}:00Z`);
    const [late, early, next] = await Promise.all([at("10:29"), at("09:31"), at("10:31")]);
    assert.match(late, form);
    assert.equal(early, late);
    assert.match(next, form);
    assert.notEqual(next, late);
  }
});

test("a recipe can come from a file, JSON or YAML, or a configuration", async () => {
  const recipe = { version: 1, function: "sha-256", parameters: [{ kind: "endpoint" }], token: { encoding: "hex", first: 8 } };
  const yaml = "version: 1\nfunction: sha-256\nparameters: [{ kind: endpoint }]\ntoken: { encoding: hex, first: 8 }\n";
  const path = join(folder, "recipe.json");
  writeFileSync(path, JSON.stringify(recipe));
  writeFileSync(join(folder, "recipe.yaml"), yaml);
  const config = join(folder, "some.yaml");
  writeFileSync(config, JSON.stringify({ uri: "coaps://bs.myserver.com", recipe }));
  const [fromJson, fromYaml, configured] = await Promise.all([
    uri("--recipe", path),
    uri("--recipe", "recipe.yaml"),
    berth(["uri", "--config", config, ...DEVICE]),
  ]);
  assert.match(fromJson, /^coaps:\/\/bs[0-9a-f]{8}\.myserver\.com\n$/);
  assert.equal(fromYaml, fromJson);
  assert.equal(configured.stdout, fromJson);
});

test("--json tells the parts; a recipe that counts wants its counter", async () => {
  const whole = JSON.parse(await uri("--json", "--at", "2026-01-01T10:29:00Z")) as Record<string, unknown>;
  assert.deepEqual(Object.keys(whole), ["uri", "host", "token", "step"]);
  assert.equal(whole.uri, `coaps://bs${whole.token}.myserver.com`);
  assert.deepEqual(whole.step, { time: Date.parse("2026-01-01T10:00:00Z") / 1000 });
  const recipe = JSON.stringify({
    version: 1,
    function: "hmac-sha-256",
    parameters: [{ kind: "counter" }],
    token: { encoding: "base32", first: 16 },
  });
  writeFileSync(join(folder, "counting.json"), recipe);
  const [missing, first, second] = await Promise.all([
    berth(["uri", "--uri", "coaps://bs.a.test", "--recipe", join(folder, "counting.json"), ...DEVICE]),
    uri("--recipe", "counting.json", "--counter", "0"),
    uri("--recipe", "counting.json", "--counter", "1"),
  ]);
  assert.equal(missing.code, 2);
  assert.equal(missing.stderr, "berth: --counter: the recipe counts, so say at which number\n");
  assert.notEqual(first, second);
});
