import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { readDevices } from "../../src/storage/index.ts";
import { chunks, collect } from "./samples.ts";

function codeBlock(markdown: string, language: string): string {
  return new RegExp(`\`\`\`${language}\n(.*?)\`\`\``, "s").exec(markdown)?.[1] ?? "";
}

test("docs/storage.md explains every error code there is, and no other", () => {
  const explained = [...readFileSync("docs/storage.md", "utf8").matchAll(/^\| `(storage-[a-z-]+)`/gm)].map(([, code]) => code);
  const known = [...readFileSync("src/storage/errors.ts", "utf8").matchAll(/"(storage-[a-z-]+)"/g)].map(([, code]) => code);
  assert.deepEqual(explained.toSorted(), known.toSorted());
  assert.ok(known.length > 0);
});

test("the examples of docs/import.md can be imported", async () => {
  const page = readFileSync("docs/import.md", "utf8");
  const csv = await collect(readDevices(chunks(codeBlock(page, "csv")), "csv"));
  const ndjson = await collect(readDevices(chunks(codeBlock(page, "json")), "ndjson"));
  assert.deepEqual(
    csv.map((row) => "device" in row && row.device.attributes),
    [{ site: "Hall A" }, { site: "Hall B, left" }],
  );
  assert.deepEqual(
    ndjson.map((row) => "device" in row && row.device.attributes),
    [{ site: "Hall A" }],
  );
});
