import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

/** The rows of all tables of the page, cell by cell, without heads and rules. */
function rows(page: string): string[][] {
  const lines = page.split("\n").filter((line) => line.startsWith("| ") && !line.endsWith("| proven by |"));
  return lines.map((line) => line.slice(2, -2).split(" | "));
}

test("docs/interface.md: each row has a proof, and each proof is a test that is there", () => {
  const found = rows(readFileSync("docs/interface.md", "utf8"));
  assert.ok(found.length > 50, "the tables are read");
  for (const cells of found) {
    assert.equal(cells.length, 4, cells.join(" | "));
    const proofs = [...(cells[3] ?? "").matchAll(/\[(.+?)\]\(([^()]+)\)(?:<br>|$)/g)];
    assert.ok(proofs.length > 0, `no proof: ${cells[0]}`);
    for (const [, title = "", target = ""] of proofs) {
      const file = join("docs", target);
      assert.ok(existsSync(file), `${cells[0]}: ${file}`);
      assert.ok(readFileSync(file, "utf8").includes(title), `${cells[0]}: ${file} has no test "${title}"`);
    }
  }
});
