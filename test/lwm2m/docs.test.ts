import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { parse } from "yaml";
import { compileProfile, parseProfile, profileWarnings, WRITE_FORMATS } from "../../src/lwm2m/index.ts";

const page = readFileSync("docs/profiles.md", "utf8");
const blocks = [...page.matchAll(/```yaml\n(.*?)```/gs)].map(([, yaml]) => yaml ?? "");
const KEY = "00112233445566778899aabbccddeeff";
const DEVICE = { endpoint: "urn:dev:1", attributes: { server_key: KEY, bootstrap_key: KEY, name_secret: KEY } };

test("every profile of docs/profiles.md can be used as it stands there, without a warning", () => {
  assert.equal(blocks.length, 3);
  for (const yaml of blocks) {
    const profile = parseProfile(parse(yaml), "docs/profiles.md");
    assert.deepEqual(profileWarnings(profile), []);
    const context = { found: { entries: [{ path: [0, 0] }] }, freshKeys: new Map([[101, Buffer.alloc(16)]]) };
    const { steps } = compileProfile(profile).plan(DEVICE, context);
    assert.equal(steps.at(-1)?.kind, "finish");
    for (const step of steps) if (step.kind === "write") assert.ok(step.payload(WRITE_FORMATS.tlv).length > 0);
  }
});

test("docs/profiles.md names every field, mode and format", () => {
  const [first, second] = blocks.map((yaml) => parseProfile(parse(yaml)));
  const [server] = first?.servers ?? [];
  assert.ok(first && server && second?.bootstrapServer);
  const fields = [...Object.keys(first), "contentFormat", "resourceFormat", "instance", ...Object.keys(server)];
  for (const field of [...fields, ...Object.keys(second.bootstrapServer)]) assert.ok(page.includes(`| \`${field}\` |`), field);
  for (const mode of ["psk", "fresh-psk", "x509", "rpk", "nosec"]) assert.ok(page.includes(`| \`${mode}\` |`), mode);
  for (const format of Object.keys(WRITE_FORMATS)) assert.ok(page.includes(`\`${format}\``), format);
});
