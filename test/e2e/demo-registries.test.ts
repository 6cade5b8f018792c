import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { needsBind } from "../support/bind.ts";
import { needsKnot } from "../support/knot.ts";
import { freePort, loopbackNet } from "../support/loopback.ts";
import { berth } from "../support/program.ts";

// The servers that the demo starts have ports of their own: no other test starts a demo with them.
for (const [registry, name, skip] of [
  ["rfc2136", "BIND", needsBind()],
  ["primary", "Knot", needsKnot()],
] as const) {
  test(`the demo runs unchanged with --registry ${registry}, which starts ${name} as docs/dns says`, { skip }, async (t) => {
    const folder = mkdtempSync(join(tmpdir(), "berth-demo-"));
    t.after(() => rmSync(folder, { recursive: true, force: true }));
    const address = `${loopbackNet()}11`;
    const where = ["--first-address", address, "--port", `${await freePort(address)}`, "--folder", folder];
    const ports = ["--dns-port", `${await freePort("127.0.0.1")}`, "--control-port", `${await freePort("127.0.0.1")}`];
    const what = ["--registry", registry, "--devices", "50", "--exit", "--json"];
    const { code, stdout, stderr } = await berth(["demo", ...what, ...where, ...ports]);
    assert.equal(code, 0, stderr);
    const { devices, completed, failed } = JSON.parse(stdout) as Readonly<Record<string, number>>;
    assert.deepEqual([devices, completed, failed], [50, 50, 0]);
    assert.match(stderr, /is pending[\s\S]*NOERROR, A 127\.[\s\S]*is completed, so its name is gone[\s\S]*NXDOMAIN/);
  });
}
