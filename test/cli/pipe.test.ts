import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";

test("output that nobody reads to its end is no fault", async () => {
  const child = spawn(process.execPath, ["bin/berth.js", "--help"], { stdio: ["ignore", "pipe", "pipe"] });
  child.stdout.destroy();
  const said: Buffer[] = [];
  child.stderr.on("data", (chunk: Buffer) => said.push(chunk));
  const [code] = await once(child, "close");
  assert.equal(Buffer.concat(said).toString(), "");
  assert.equal(code, 0);
});
