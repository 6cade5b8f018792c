import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Balancer, controlHandlers } from "../../src/balancer/index.ts";
import { NO_LOAD, ROUTES } from "../../src/control/index.ts";
import { ZoneTable } from "../../src/dns/index.ts";
import { InvalidInput } from "../../src/lib/errors.ts";
import { silentLogger } from "../../src/lib/log.ts";
import { builtInRecipe } from "../../src/naming/index.ts";
import { breathe, ControlClient, ControlError, type ControlServer, serveControl, systemClock } from "../../src/net/index.ts";
import { openStorage, SecretBox, type Storage } from "../../src/storage/index.ts";

const TOKENS = { instance: "token-of-instances", operator: "token-of-operators" };
const PSK = "00112233445566778899aabbccddeeff";
let storage: Storage;
let server: ControlServer;
let url: string;
let operator: ControlClient;
let instance: ControlClient;

before(async () => {
  storage = await openStorage({ kind: "memory" }, new SecretBox(new Uint8Array(32).fill(1)));
  const balancer = await Balancer.start({
    uri: "coaps://bs.example.com",
    recipe: builtInRecipe("berth-1"),
    timing: { ttl: 30_000, skew: 300_000, lead: 300_000, grace: 330_000 },
    sessionDeadline: 90_000,
    heartbeat: 1000,
    lostAfter: 5000,
    table: new ZoneTable({ zone: "example.com", seed: new Uint8Array(16) }),
    storage,
    readProfile: (profile) => {
      if (typeof profile !== "object") throw new InvalidInput("profile: must be an object");
      return { profile, warnings: ["a warning"] };
    },
    clock: systemClock,
    breathe,
    log: silentLogger,
  });
  server = await serveControl({
    address: "127.0.0.1",
    port: 0,
    tokens: TOKENS,
    handlers: controlHandlers(balancer),
    log: silentLogger,
  });
  url = `http://127.0.0.1:${server.port}`;
  operator = new ControlClient({ url, token: TOKENS.operator });
  instance = new ControlClient({ url, token: TOKENS.instance });
});

after(async () => {
  operator.close();
  instance.close();
  await server.close();
  await storage.close();
});

async function ask(method: string, path: string, token?: string, body?: unknown): Promise<{ status: number; body: unknown }> {
  const response = await fetch(url + path, {
    method,
    headers: {
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(body === undefined ? {} : { "content-type": "application/json" }),
    },
    ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
  });
  return { status: response.status, body: await response.json() };
}

test("a device goes from import to completion, all over HTTP", async () => {
  assert.deepEqual(await operator.call("putProfile", { params: { name: "default" }, body: {} }), { warnings: ["a warning"] });
  const load = { sessions: 1, handshakes: 2, completed: 3, failed: 4, cpu: 0.5, admission: NO_LOAD.admission };
  const params = { id: "bs-1" };
  const registration = { boot: "b1", addresses: { ipv4: "127.0.0.11" } };
  assert.deepEqual(await instance.call("registerInstance", { params, body: registration }), { heartbeat: 1000 });
  assert.deepEqual(await instance.call("heartbeat", { params, body: { boot: "b1", load } }), {});
  const imported = await operator.call("importDevices", { body: { devices: [{ endpoint: "urn:dev:1", psk: PSK }] } });
  assert.deepEqual(imported, { inserted: 1, updated: 0, rejected: [], warnings: [] });
  const assignment = { endpoint: "urn:dev:1", mode: "psk", identity: "urn:dev:1", psk: PSK, profile: "default", attributes: {} };
  assert.deepEqual(await instance.call("lookup", { params, body: { identity: "urn:dev:1" } }), { assignment });

  const view = await operator.call("device", { params: { endpoint: "urn:dev:1" }, query: { names: true } });
  assert.match(view.names?.[0] ?? "", /^bs[a-z2-7]{16}\.example\.com$/);
  const told = { session: "s", endpoint: "urn:dev:1", at: 1 };
  const notifications = [
    { sequence: 1, kind: "commenced" as const, ...told },
    { sequence: 2, kind: "completed" as const, ...told },
  ];
  assert.deepEqual(await instance.call("notify", { params, body: { boot: "b1", notifications } }), {});
  const { devices } = await operator.call("devices", { query: { state: "completed", limit: 5 } });
  const [completed] = devices;
  assert.deepEqual(devices, [
    {
      endpoint: "urn:dev:1",
      mode: "psk",
      state: "completed",
      instance: "bs-1",
      profile: "default",
      group: null,
      completedAt: completed?.completedAt,
      failures: 0,
      lastFailure: null,
    },
  ]);
  assert.equal((await operator.call("rotate", { body: { reason: "test" } })).pending, 0);
  const { zone, devices: counts, instances, collisions } = await operator.call("status", {});
  assert.deepEqual(
    { zone, counts, instances, collisions },
    { zone: "example.com", counts: { pending: 0, commenced: 0, completed: 1 }, instances: 1, collisions: 0 },
  );
  const [shown] = (await operator.call("instances", {})).instances;
  assert.deepEqual([shown?.id, shown?.state, shown?.completed, shown?.load], ["bs-1", "up", 1, load]);
  assert.deepEqual(await operator.call("removeDevice", { params: { endpoint: "urn:dev:1" } }), {});
  assert.deepEqual(await instance.call("leave", { params }), {});
  assert.deepEqual(await operator.call("health", {}), { status: "ok" });
});

test("an instance follows its assignments over HTTP", async () => {
  await operator.call("putProfile", { params: { name: "default" }, body: {} });
  await instance.call("registerInstance", { params: { id: "bs-9" }, body: { boot: "b", addresses: { ipv6: "::1" } } });
  const stop = new AbortController();
  const seen: string[] = [];
  for await (const event of instance.assignments("bs-9", 5000, stop.signal)) {
    seen.push(event.type === "assign" ? event.assignments.map(({ endpoint }) => endpoint).join() : event.type);
    if (event.type === "synced")
      await operator.call("importDevices", { body: { devices: [{ endpoint: "urn:dev:9", psk: PSK }] } });
    if (event.type === "assign") stop.abort();
  }
  assert.deepEqual(seen, ["fleet", "profile", "synced", "urn:dev:9"]);
  await instance.call("leave", { params: { id: "bs-9" } });
});

test("each role's token opens its own routes only; health and the document are open", async () => {
  const other = { instance: TOKENS.operator, operator: TOKENS.instance };
  for (const { method, path, role } of Object.values(ROUTES)) {
    if (role === "public") continue;
    for (const token of [undefined, "", "wrong", other[role]]) {
      const { status, body } = await ask(method, path.replaceAll(/:\w+/g, "x"), token, method === "GET" ? undefined : {});
      assert.deepEqual([status, (body as { code: string }).code], [401, "unauthorized"], `${method} ${path} with ${token}`);
    }
  }
  assert.equal((await ask("GET", "/v1/instances/x/assignments", TOKENS.operator)).status, 401);
  assert.equal((await ask("GET", "/v1/health")).status, 200);
  assert.equal((await ask("GET", "/v1/openapi.json")).status, 200);
});

test("what is not there is 404 with a code", async () => {
  const { operator, instance } = TOKENS;
  const asked: [string, string, string, unknown, string][] = [
    ["GET", "/v1/devices/nobody", operator, undefined, "no device nobody"],
    ["DELETE", "/v1/devices/nobody", operator, undefined, "no device nobody"],
    ["POST", "/v1/instances/nobody/heartbeat", instance, { boot: "b", load: NO_LOAD }, "instance nobody is not registered"],
    ["POST", "/v1/instances/nobody/lookups", instance, { endpoint: "e" }, "instance nobody is not registered"],
    [
      "POST",
      "/v1/instances/nobody/notifications",
      instance,
      { boot: "b", notifications: [] },
      "instance nobody is not registered",
    ],
    ["GET", "/v1/instances/nobody/assignments", instance, undefined, "instance nobody is not registered"],
    ["GET", `/v1/devices/${"%20".repeat(252)}`, operator, undefined, `no device ${" ".repeat(252)}`],
    ["GET", "/v2/anything", operator, undefined, "no such path; see /v1/openapi.json"],
  ];
  for (const [method, path, token, body, message] of asked) {
    assert.deepEqual(await ask(method, path, token, body), { status: 404, body: { code: "not-found", message } });
  }
});

test("an import that the brake holds is 409, and nothing waits for it", async () => {
  const params = { id: "bs-2" };
  await instance.call("registerInstance", { params, body: { boot: "b2", addresses: { ipv4: "127.0.0.12" } } });
  const batch = (key: string): { devices: { endpoint: string; psk: string }[] } => ({
    devices: Array.from({ length: 10 }, (_, number) => ({ endpoint: `urn:held:${number}`, psk: key })),
  });
  await operator.call("importDevices", { body: batch(PSK) });
  const other = batch(PSK.replaceAll("0", "1"));
  const { status, body } = await ask("POST", "/v1/devices", TOKENS.operator, other);
  assert.equal(status, 409);
  assert.equal((body as { code: string }).code, "held");
  const { held } = await operator.call("status", {});
  assert.deepEqual(await operator.call("confirm", {}), { confirmed: held.map((each) => ({ ...each, confirmed: true })) });
  assert.equal((await operator.call("importDevices", { body: other })).updated, 10);
});

test("what does not fit its schema is 400, with the place, and without the secret", async () => {
  const { operator, instance } = TOKENS;
  const asked: [string, string, string, unknown, RegExp][] = [
    [
      "POST",
      "/v1/devices",
      operator,
      { devices: [{ endpoint: "e", psk: "a-secret" }] },
      /^body: devices\[0\]\.psk: must be hex$/,
    ],
    [
      "POST",
      "/v1/devices",
      operator,
      { devices: [{ endpoint: "e", psk: PSK, profil: "x" }] },
      /unknown key "profil", did you mean "profile"/,
    ],
    ["POST", "/v1/devices", operator, "{", /JSON/],
    ["GET", "/v1/devices?limit=0", operator, undefined, /^query: limit/],
    ["GET", "/v1/devices?state=lost", operator, undefined, /^query: state/],
    ["PUT", "/v1/instances/bs-1", instance, { boot: "b", addresses: {} }, /give an ipv4 or an ipv6 address/],
    ["PUT", "/v1/instances/bs-1", instance, { boot: "b", addresses: { ipv4: "127.0.0.256" } }, /addresses\.ipv4/],
    ["PUT", "/v1/instances/a%20b", instance, { boot: "b", addresses: { ipv4: "127.0.0.1" } }, /^instance id: "a b" must be/],
    ["PUT", "/v1/profiles/x", operator, 7, /profile: must be an object/],
    ["POST", "/v1/rotations", operator, {}, /reason/],
  ];
  for (const [method, path, token, body, message] of asked) {
    const answer = await ask(method, path, token, body);
    const { code, message: text } = answer.body as { code: string; message: string };
    assert.deepEqual([answer.status, code], [400, "invalid-input"], `${method} ${path}: ${text}`);
    assert.match(text, message);
    assert.doesNotMatch(text, /a-secret/);
  }
});

test("the client raises what the server answers, and says when there is none", async () => {
  await assert.rejects(
    operator.call("device", { params: { endpoint: "nobody" }, query: {} }),
    (error) => error instanceof ControlError && error.code === "not-found",
  );
  const stranger = new ControlClient({ url, token: "wrong" });
  await assert.rejects(stranger.call("status", {}), { code: "unauthorized" });
  stranger.close();
  const lonely = new ControlClient({ url: "http://127.0.0.1:1", token: "any" });
  await assert.rejects(lonely.call("status", {}), { code: "balancer-unreachable" });
  lonely.close();
});
