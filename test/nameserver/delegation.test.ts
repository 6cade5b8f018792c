import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { silentLogger } from "../../src/lib/log.ts";
import { Nameserver } from "../../src/nameserver/index.ts";
import { openUdp, resolveHost } from "../../src/net/index.ts";
import { liveTable, ZONE } from "./fixture.ts";

const DOC = readFileSync("docs/dns/delegation.md", "utf8");
const SKIP = spawnSync("named", ["-v"]).status === 0 ? false : "named is missing: apt-get install bind9";
if (SKIP) console.error(`SKIPPED, ${SKIP}`);

async function freePort(): Promise<number> {
  const socket = await openUdp({ address: "127.0.0.1", port: 0, onDatagram: () => {} });
  await socket.close();
  return socket.port;
}

async function startNamed(t: TestContext, config: string): Promise<ChildProcess> {
  const folder = mkdtempSync(join(tmpdir(), "berth-named-"));
  writeFileSync(join(folder, "named.conf"), config);
  const named = spawn("named", ["-f", "-c", "named.conf"], { cwd: folder, stdio: "ignore" });
  t.after(async () => {
    if (named.exitCode === null) {
      named.kill();
      await once(named, "exit");
    }
    rmSync(folder, { recursive: true });
  });
  return named;
}

test("docs/dns/delegation.md: through BIND as forwarder, live names resolve and others do not", { skip: SKIP }, async (t) => {
  const server = await Nameserver.start({
    zone: ZONE,
    table: liveTable(),
    listen: [{ address: "127.0.0.1", port: 0 }],
    log: silentLogger,
  });
  t.after(() => server.close());
  const port = await freePort();
  const [, config = ""] = /```named\n([\s\S]*?)```/.exec(DOC) ?? [];
  assert.match(config, /8553[\s\S]*8653/);
  await startNamed(t, config.replace("8553", String(port)).replace("8653", String(server.addresses[0]?.port)));
  const servers = [`127.0.0.1:${port}`];
  let both = { ipv4: [] as readonly string[], ipv6: [] as readonly string[] };
  for (let tries = 0; both.ipv4.length === 0 && tries < 20; tries++) {
    await pause(250);
    both = await resolveHost("both.bs.example.com", servers).catch(() => both);
  }
  assert.deepEqual(both, { ipv4: ["192.0.2.2"], ipv6: ["2001:db8::2"] });
  assert.deepEqual(await resolveHost("four.bs.example.com", servers), { ipv4: ["192.0.2.1"], ipv6: [] });
  await assert.rejects(resolveHost("made-up.bs.example.com", servers), { code: "name-not-found" });
  // RFC 2308 section 5: the resolver keeps that the name does not exist.
  const asked = server.stats.queries;
  await assert.rejects(resolveHost("made-up.bs.example.com", servers), { code: "name-not-found" });
  assert.equal(server.stats.queries, asked);
});
