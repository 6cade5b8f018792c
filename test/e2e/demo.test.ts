import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { openUdp } from "../../src/net/index.ts";
import { freePort, loopbackNet } from "../support/loopback.ts";
import { berth, startBerth } from "../support/program.ts";

/** The demo's summary on stdout. */
interface Summary {
  readonly devices: number;
  readonly completed: number;
  readonly failed: number;
  readonly seconds: number;
  readonly instances: Readonly<Record<string, number>>;
  readonly killed?: {
    readonly affected: number;
    readonly outOfDnsSeconds: number | null;
    readonly lastCompletedSeconds: number | null;
  };
}

/** Arguments that keep a demo out of the way of others. */
async function place(t: TestContext): Promise<{ folder: string; args: string[] }> {
  const folder = mkdtempSync(join(tmpdir(), "berth-demo-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const address = `${loopbackNet()}11`;
  const [dns, control] = [await freePort("127.0.0.1"), await freePort("127.0.0.1")];
  const at = ["--first-address", address, "--port", `${await freePort(address)}`];
  return { folder, args: [...at, "--dns-port", `${dns}`, "--control-port", `${control}`, "--folder", folder] };
}

async function demo(t: TestContext, ...args: readonly string[]): Promise<Summary> {
  const where = await place(t);
  const { code, stdout, stderr } = await berth(["demo", "--exit", "--json", ...where.args, ...args]);
  assert.equal(code, 0, stderr);
  const summary = JSON.parse(stdout) as Summary;
  t.diagnostic(JSON.stringify(summary));
  return summary;
}

test("200 devices of the example fleet complete, on 3 instances", async (t) => {
  const { devices, completed, failed, seconds, instances } = await demo(t);
  assert.deepEqual([devices, completed, failed], [200, 200, 0]);
  assert.deepEqual(Object.values(instances).sort(), [66, 67, 67]);
  assert.ok(seconds < 60);
});

test("1000 devices are spread over 4 instances to one in a hundred", async (t) => {
  const { devices, completed, instances } = await demo(t, "--devices", "1000", "--instances", "4");
  assert.deepEqual([devices, completed], [1000, 1000]);
  const counts = Object.values(instances);
  assert.equal(counts.length, 4);
  assert.ok(Math.max(...counts) / (1000 / 4) <= 1.01, `${counts}`);
});

test("an instance is killed in the middle: out of DNS within 7 s, and all devices complete (B12)", async (t) => {
  const { devices, completed, instances, killed: report } = await demo(t, "--devices", "1000", "--instances", "4", "--kill-one");
  assert.deepEqual([devices, completed], [1000, 1000]);
  const { "bs-1": killed = 0, ...others } = instances;
  assert.ok(killed < 1000 / 4, `the killed one served ${killed}`);
  assert.ok((report?.affected ?? 0) > 0, "it had devices");
  assert.ok((report?.outOfDnsSeconds ?? 99) <= 7, `out of DNS after ${report?.outOfDnsSeconds} s`);
  assert.notEqual(report?.lastCompletedSeconds, null);
  assert.equal(killed + Object.values(others).reduce((sum, count) => sum + count, 0), 1000);
});

test("it says what it does, stays up until Ctrl-C, takes everything down, and has shown no secret", async (t) => {
  const { folder, args } = await place(t);
  const program = startBerth(["demo", "--devices", "20", ...args]);
  await program.says(/Everything stays up until Ctrl-C/);
  assert.match(program.stderr, /urn:dev:os:berth-0001 is pending[\s\S]*bs[a-z2-7]{16}\.demo\.berth\.test[\s\S]*NOERROR, A 127\./);
  assert.match(program.stderr, /urn:dev:os:berth-0001 is completed, so its name is gone[\s\S]*NXDOMAIN/);
  assert.match(program.stderr, /instance +address +state +devices +p50 ms +p99 ms +handshakes/);
  const listed = await berth(["instances", "--json", "--config", join(folder, "berth.yaml")]);
  assert.equal(JSON.parse(listed.stdout).length, 3);
  const { code, stdout } = await program.stop("SIGINT");
  assert.equal(code, 0);
  assert.match(stdout, /20 of 20 devices completed in/);
  await isDown(folder);
  const logs = readdirSync(join(folder, "logs")).map((name) => readFileSync(join(folder, "logs", name), "utf8"));
  const keys = readFileSync(join(folder, "fleet.csv"), "utf8").match(/[0-9a-f]{32}/g) ?? [];
  assert.equal(keys.length, 40);
  for (const key of keys) assert.ok(!logs.join().includes(key), "a key is in the log");
  assert.doesNotMatch(logs.join(), /bs[a-z2-7]{16}\./, "a live name is in the log");
});

test("an address that is taken is named, in one line", async (t) => {
  const { args } = await place(t);
  const [, address = "", , port] = args;
  const taken = await openUdp({ address, port: Number(port), onDatagram: () => {} });
  const { code, stderr } = await berth(["demo", "--exit", ...args]);
  await taken.close();
  assert.equal(code, 1);
  const says = `berth: cannot listen on udp ${address} port ${port}: it is in use by another program; is another demo running?\n`;
  assert.equal(stderr, says);
});

/** Waits until the balancer of a demo is gone. */
async function isDown(folder: string): Promise<void> {
  for (;;) {
    const { code, stderr } = await berth(["instances", "--config", join(folder, "berth.yaml")]);
    if (code === 1 && /no balancer at/.test(stderr)) return;
  }
}
