import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { type DeviceState, describeTree, factoryTree, isConfigured, StateFile } from "../../src/device/index.ts";
import { toHex } from "../../src/lib/bytes.ts";
import { BERTH_OBJECT, single } from "../../src/lwm2m/index.ts";
import { openScripted, type ServerOnSockets } from "../device/on-sockets.ts";
import {
  bootstrapAccount,
  DELETE_ALL,
  FINISH,
  PSK,
  type ScriptedServer,
  security,
  server,
  write,
} from "../device/scripted-server.ts";
import { berth, type Ended, startBerth } from "../support/program.ts";

/* A device whose process is killed, as the power fails in the field: `berth device --state`, on loopback, kill -9. */

const KILLER = fileURLToPath(new URL("../support/kill-at.mjs", import.meta.url));
const ENDPOINT = "urn:dev:1";
/** What a bootstrap writes: an LwM2M server, and the bootstrap account anew under another id. */
const WRITES = (uri: string) => [security(123), server(123), bootstrapAccount(7, { uri })].map((instance) => write(instance));
const CONFIGURED = ["/0/1", "/0/7", "/1/0", "/3/0"];
const FACTORY = ["/0/0", "/3/0"];

let onSockets: ServerOnSockets;
let scripted: ScriptedServer;
let folder = "";
let path = "";
let flags: readonly string[] = [];
/** Called for every datagram of the device. */
let heard: () => void = () => {};

before(async () => {
  onSockets = await openScripted({ heard: () => heard() });
  scripted = onSockets.scripted;
  const uri = `coaps://127.0.0.1:${onSockets.port}`;
  scripted.script = [DELETE_ALL, ...WRITES(uri), FINISH];
  folder = mkdtempSync(join(tmpdir(), "berth-device-"));
  path = join(folder, "device.json");
  const who = ["--endpoint", ENDPOINT, "--identity", "dev-1", "--psk", toHex(PSK)];
  flags = ["device", "--server", uri, "--recipe", "none", ...who, "--state", path, "--json"];
});

after(async () => {
  await onSockets.close();
  rmSync(folder, { recursive: true, force: true });
});

function pathsIn(state: DeviceState | undefined): string[] {
  return (state?.tree.instances() ?? []).map(({ objectId, id }) => `/${objectId}/${id}`);
}

/** A new device: no file, and a server that has heard nothing. */
function fresh(): void {
  for (const name of readdirSync(folder)) rmSync(join(folder, name));
  scripted.requests.length = scripted.results.length = scripted.finished.length = 0;
}

/** What a restart finds: it depends on nothing else, so each of these is started from once. */
const restarted: Set<string> = new Set();

/**
 * What has to hold wherever the process was killed: the state is as before or the whole new one, and the server was told
 * 2.04 only if it is the new one. When the device starts again, it ends with the whole new one in either case.
 */
async function assertSound(where: string): Promise<"before" | "configured"> {
  const state = new StateFile(path).load();
  const configured = state !== undefined && isConfigured(state.tree);
  if (state !== undefined) assert.deepEqual(pathsIn(state), configured ? CONFIGURED : FACTORY, where);
  if (scripted.finished.length > 0) assert.ok(configured, `${where}: the server was told 2.04`);
  const outcome = configured ? "configured" : "before";
  const found = `${pathsIn(state)} ${readdirSync(folder)}`;
  if (restarted.has(found)) return outcome;
  restarted.add(found);
  scripted.requests.length = 0;
  const again = await berth(flags);
  assert.equal(again.code, 0, `${where}: ${again.stderr}`);
  const { completed, attempts } = JSON.parse(again.stdout) as { completed: boolean; attempts: number };
  assert.deepEqual([completed, attempts, scripted.requests.length], configured ? [true, 0, 0] : [true, 1, 1], where);
  assert.deepEqual(pathsIn(new StateFile(path).load()), CONFIGURED, where);
  return outcome;
}

test("killed at whichever datagram of a bootstrap, the device is as before or configured (kill -9)", async () => {
  const seen = new Set<string>();
  // A bootstrap has some 14: four of the handshake, then answers. Beyond its end there is nothing to kill.
  for (let nth = 1; ; nth++) {
    fresh();
    const program = startBerth(flags);
    let count = 0;
    heard = () => {
      if (++count === nth) program.kill("SIGKILL");
    };
    const { code } = await program.ended;
    heard = () => {};
    if (code !== null) {
      assert.ok(nth > 8, `${nth} datagrams`);
      break;
    }
    seen.add(await assertSound(`datagram ${nth}`));
  }
  assert.ok(seen.has("before"));
});

test("killed at whichever step of saving, in the middle of writing too, the device is as before or configured", async () => {
  const seen: string[] = [];
  for (let nth = 1; ; nth++) {
    fresh();
    const env = { NODE_OPTIONS: `--import=${KILLER}`, BERTH_TEST_KILL_AT: String(nth), BERTH_TEST_KILL_IN: folder };
    const program = startBerth(flags, { env });
    const { code } = await program.ended;
    if (code !== null) break;
    seen.push(await assertSound(`step ${nth}`));
  }
  // Saved twice, as it left the factory and as it was configured: from some step on it is configured, and stays so.
  assert.deepEqual(seen, [...seen].sort(), "before, then configured");
  assert.ok(seen.length >= 14 && seen.includes("before") && seen.includes("configured"), seen.join());
});

test("a device that is configured says so, and prints its tree; --again bootstraps it again", async () => {
  fresh();
  const first = await berth(flags);
  assert.equal(first.code, 0, first.stderr);
  assert.equal(statSync(path).mode & 0o777, 0o600);
  const text = flags.filter((flag) => flag !== "--json");
  const second = await berth(text);
  assert.match(second.stderr, /it is configured already; --again bootstraps it once more/);
  assert.match(second.stdout, /^\/0\/1\/0 = coaps:\/\/dm\.example\.com:5684$/m);
  assert.equal(scripted.requests.length, 1);
  const again = await berth([...flags, "--again"]);
  assert.deepEqual([again.code, scripted.requests.length], [0, 2]);
});

test("without flags for it the device is what its file says", async () => {
  fresh();
  assert.equal((await berth(flags)).code, 0);
  const { code, stdout } = await berth(["device", "--endpoint", ENDPOINT, "--state", path, "--again", "--json"], { cwd: folder });
  assert.equal(code, 0);
  assert.equal((JSON.parse(stdout) as { completed: boolean }).completed, true);
  const missing = await berth(["device", "--endpoint", ENDPOINT, "--state", join(folder, "other.json")], { cwd: folder });
  assert.deepEqual([missing.code, /--server: give the static bootstrap URI/.test(missing.stderr)], [2, true]);
});

test("a damaged file is refused in one line, and left as it is", async () => {
  fresh();
  writeFileSync(path, "damaged\n");
  const { code, stderr } = await berth(flags);
  assert.equal(code, 1);
  assert.match(stderr, /^berth: .*device\.json: is no state file of a device, or its end is missing; move the file away.*\n$/);
  assert.equal(readFileSync(path, "utf8"), "damaged\n");
});

test("a place where nothing can be saved is told before the device bootstraps", async () => {
  fresh();
  const nowhere = flags.map((flag) => (flag === path ? join(folder, "no", "device.json") : flag));
  const { code, stderr } = await berth(nowhere);
  assert.deepEqual([code, scripted.requests.length], [1, 0]);
  assert.match(stderr, /^berth: .*device\.json: ENOENT[^\n]*\n$/);
});

test("settings that do not go together are told, and not written into the file", async () => {
  fresh();
  const { code, stderr } = await berth(flags.map((flag) => (flag === "none" ? "berth-1" : flag)));
  assert.deepEqual([code, new StateFile(path).load()], [2, undefined], stderr);
});

test("an account whose time is over is purged from the file when the device starts (/0/x/12)", async () => {
  fresh();
  const tree = factoryTree({ uri: `coaps://127.0.0.1:${onSockets.port}`, identity: "dev-1", psk: PSK }).with(
    security(1),
    server(1),
  );
  new StateFile(path).save({ tree, accountExpires: Date.now() - 1000 });
  const ended: Ended = await berth(flags);
  assert.equal(ended.code, 0, ended.stderr);
  assert.deepEqual(pathsIn(new StateFile(path).load()), ["/0/1", "/1/0", "/3/0"]);
  const again = await berth([...flags, "--again"]);
  assert.deepEqual([again.code, scripted.requests.length], [2, 0]);
  assert.match(again.stderr, /no instance of the Security object \/0 is a bootstrap account/);
});

test("the recipe goes into the Berth object, and its counter is kept there", async () => {
  fresh();
  const recipe = join(folder, "counting.json");
  const counting = { parameters: [{ kind: "endpoint" }, { kind: "counter" }], token: { encoding: "hex", first: 8 } };
  writeFileSync(
    recipe,
    JSON.stringify({ version: 1, name: "counting", function: "hmac-sha-256", place: { in: "path" }, ...counting }),
  );
  const args = [...flags.map((flag) => (flag === "none" ? recipe : flag)), "--counter", "41"];
  const { code, stderr } = await berth(args);
  assert.equal(code, 0, stderr);
  const state = new StateFile(path).load();
  assert.deepEqual(state?.tree.get(BERTH_OBJECT, 0)?.resources.get(3), single(3, { type: "unsigned", value: 42 }));
  assert.match(String(state && describeTree(state.tree)[`/${BERTH_OBJECT}/0/0`]), /"name":"counting"/);
  assert.match(scripted.requests.at(-1)?.path.join("/") ?? "", /^[0-9a-f]{8}\/bs$/);
});
