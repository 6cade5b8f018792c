import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { readDevices } from "../../src/storage/index.ts";
import { chunks, collect } from "./samples.ts";

function codeBlocks(markdown: string, language: string): string[] {
  return [...markdown.matchAll(new RegExp(`\`\`\`${language}\n(.*?)\`\`\``, "gs"))].map(([, block = ""]) => block);
}

test("docs/storage.md explains every error code there is, and no other", () => {
  const explained = [...readFileSync("docs/storage.md", "utf8").matchAll(/^\| `(storage-[a-z-]+)`/gm)].map(([, code]) => code);
  const known = [...readFileSync("src/storage/errors.ts", "utf8").matchAll(/"(storage-[a-z-]+)"/g)].map(([, code]) => code);
  assert.deepEqual(explained.toSorted(), known.toSorted());
  assert.ok(known.length > 0);
});

test("the examples of docs/import.md can be imported", async () => {
  const page = readFileSync("docs/import.md", "utf8");
  const [first = "", second = ""] = codeBlocks(page, "csv");
  const [csv, modes] = await Promise.all([first, second].map((text) => collect(readDevices(chunks(text), "csv"))));
  const ndjson = await collect(readDevices(chunks(codeBlocks(page, "json").join("")), "ndjson"));
  assert.deepEqual(
    csv?.map((row) => "device" in row && row.device.attributes),
    [{ site: "Hall A" }, { site: "Hall B, left" }],
  );
  assert.deepEqual(
    modes?.map((row) => "device" in row && row.device.mode),
    ["psk", "x509"],
  );
  assert.deepEqual(
    ndjson.map((row) => "device" in row && row.device.attributes),
    [{ site: "Hall A" }],
  );
});
