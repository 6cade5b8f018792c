import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { type TestContext, test } from "node:test";
import { until } from "./fake-balancer.ts";
import { assignment } from "./lockstep.ts";
import { COAP, COAPS, startSite } from "./site.ts";

const LIMIT = { timeout: 60_000 };
/** Long enough for an answer on loopback, short enough to wait for where none may come. */
const PATIENCE = 6000;

/** Whether a program is there; where it is not, the test says what to install. */
function have(context: TestContext, program: string): boolean {
  if (spawnSync(program, ["-v"], { stdio: "ignore" }).error === undefined) return true;
  context.skip(`${program} is missing; install it with: apt-get install openssl libcoap3-bin`);
  return false;
}

/** Runs a program until `seen` shows in what it prints, or its time is over, and gives what it printed. */
async function run(program: string, args: readonly string[], seen: RegExp): Promise<string> {
  const child = spawn(program, args, { stdio: ["pipe", "pipe", "pipe"] });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (bytes: Buffer) => (output += bytes.toString("latin1")));
  const ended = new Promise((resolve) => child.on("close", resolve));
  const timer = setTimeout(() => child.kill(), PATIENCE);
  const poll = setInterval(() => {
    if (seen.test(output)) child.kill();
  }, 20);
  await ended;
  clearTimeout(timer);
  clearInterval(poll);
  return output;
}

const KEY = assignment("urn:dev:1").psk;
/** libcoap takes the key as text, and the keys of these tests are text. */
const KEY_TEXT = Buffer.from(KEY, "hex").toString();

test("openssl s_client shakes hands with the right key and identity only", LIMIT, async (context) => {
  if (!have(context, "openssl")) return;
  const { instance, log } = await startSite(["urn:dev:1"], [COAPS]);
  const connect = (identity: string, key: string): Promise<string> => {
    const target = `127.0.0.1:${instance.listeners[0]?.port}`;
    const psk = ["-psk", key, "-psk_identity", identity, "-cipher", "PSK-AES128-GCM-SHA256"];
    return run(
      "openssl",
      ["s_client", "-dtls1_2", "-connect", target, ...psk, "-servername", "bs.example.com"],
      /Verify return code|alert/,
    );
  };
  assert.match(await connect("id-urn:dev:1", KEY), /Cipher *(is|:) PSK-AES128-GCM-SHA256/);
  const refused = await Promise.all([connect("id-urn:dev:1", "ff".repeat(16)), connect("stranger", KEY)]);
  for (const output of refused) assert.doesNotMatch(output, /Cipher is PSK/);
  log.says(/handshake failed .*"identity":"id-urn:dev:1".*"reason":"wrong key"/);
  log.says(/handshake refused .*"identity":"stranger".*"reason":"unknown identity"/);
  assert.ok(log.lines.every((line) => !line.includes(KEY)));
});

test("libcoap's client over DTLS: right key, wrong key, wrong identity, another device's name", LIMIT, async (context) => {
  if (!have(context, "coap-client-openssl")) return;
  const { instance, log, balancer } = await startSite(["urn:dev:1", "urn:dev:2"], [COAPS]);
  const post = (endpoint: string, identity: string, key: string): Promise<string> => {
    const uri = `coaps://127.0.0.1:${instance.listeners[0]?.port}/bs?ep=${endpoint}`;
    return run("coap-client-openssl", ["-v", "7", "-B", "4", "-m", "post", "-k", key, "-u", identity, uri], /c:[245]\.\d\d/);
  };
  assert.match(await post("urn:dev:1", "id-urn:dev:1", KEY_TEXT), /c:2\.04/);
  await until(() => balancer.told.includes("commenced urn:dev:1"), "commenced");
  assert.match(await post("urn:dev:2", "id-urn:dev:1", KEY_TEXT), /c:4\.00.*Unauthorized/s);
  log.says(/request refused .*"identity":"id-urn:dev:1".*"endpoint":"urn:dev:2".*does not belong/);
  const refused = await Promise.all([
    post("urn:dev:1", "id-urn:dev:1", "another key, 16b"),
    post("urn:dev:1", "stranger", KEY_TEXT),
  ]);
  for (const output of refused) assert.doesNotMatch(output, /c:[245]\.\d\d/);
  log.says(/handshake failed .*"reason":"wrong key"/);
  log.says(/handshake refused .*"reason":"unknown identity"/);
  assert.ok(log.lines.every((line) => !line.includes(KEY_TEXT) && !line.includes(KEY)));
  assert.ok(!balancer.told.includes("commenced urn:dev:2"));
});

test("libcoap's client on a NoSec listener", LIMIT, async (context) => {
  if (!have(context, "coap-client-notls")) return;
  const { instance, balancer } = await startSite(["urn:dev:1"], [COAP]);
  const post = (endpoint: string): Promise<string> => {
    const uri = `coap://127.0.0.1:${instance.listeners[0]?.port}/bs?ep=${endpoint}`;
    return run("coap-client-notls", ["-v", "7", "-B", "4", "-m", "post", uri], /c:[245]\.\d\d/);
  };
  assert.match(await post("urn:dev:1"), /c:2\.04/);
  await until(() => balancer.told.includes("commenced urn:dev:1"), "commenced");
  assert.match(await post("urn:dev:9"), /c:4\.00.*Unauthorized/s);
});
