import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { parse } from "yaml";
import { parseProfile, profileWarnings } from "../../src/lwm2m/index.ts";
import { bootstrapSteps } from "./support.ts";

const page = readFileSync("docs/profiles.md", "utf8");

test("every profile of docs/profiles.md can be used as it stands there", () => {
  const blocks = [...page.matchAll(/```yaml\n(.*?)```/gs)].map(([, yaml]) => yaml ?? "");
  assert.equal(blocks.length, 2);
  for (const yaml of blocks) {
    const profile = parseProfile(parse(yaml), "docs/profiles.md");
    assert.deepEqual(profileWarnings(profile), []);
    const device = { endpoint: "urn:dev:1", attributes: { server_key: "00112233445566778899aabbccddeeff" } };
    assert.equal(bootstrapSteps(profile, device).at(-1)?.kind, "finish");
  }
});

test("docs/profiles.md names every field", () => {
  const profile = parseProfile(parse(/```yaml\n(.*?)```/s.exec(page)?.[1] ?? ""));
  for (const field of [...Object.keys(profile), "contentFormat", "instance", ...Object.keys(profile.servers[0] ?? {})]) {
    assert.ok(page.includes(`| \`${field}\` |`), field);
  }
});
