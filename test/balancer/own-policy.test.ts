import assert from "node:assert/strict";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { type TestContext, test } from "node:test";
import { type AllocationOptions, type AskedDevice, type OwnPolicy, PolicyHook } from "../../src/balancer/index.ts";
import { deviceInput, endpointOf, listeningLogger, World } from "./world.ts";

/** The rules around a policy of the user's own. */
function owned(policy: OwnPolicy, more: Partial<AllocationOptions> = {}): AllocationOptions {
  return { policy: "even", nearest: 1, rules: [], columns: {}, own: { policy, attributes: ["tier"] }, ...more };
}

const last: OwnPolicy = { choose: async (devices) => devices.map(() => "bs-13") };

async function three(allocation: AllocationOptions, log = listeningLogger()): Promise<World> {
  const world = await World.start({ allocation, log });
  await world.joinAll("bs-11", "bs-12", "bs-13");
  return world;
}

test("a policy of the user's own says where devices go; what it leaves open the fall-back decides (B3)", async () => {
  const odd: OwnPolicy = {
    choose: async (devices) => devices.map(({ endpoint }) => (Number(endpoint.at(-1)) % 2 === 1 ? "bs-12" : null)),
  };
  const world = await three(owned(odd));
  await world.import(40);
  assert.deepEqual(world.loads(), [10, 20, 10]);
  for (let number = 1; number < 40; number += 2) assert.equal(world.resolve(endpointOf(number)), "bs-12");
});

test("it is asked again at a rotation, and for devices whose instance is gone; nobody else moves then (B11)", async () => {
  let favourite = "bs-11";
  const asked: AskedDevice[][] = [];
  const moody: OwnPolicy = {
    choose: async (devices) => {
      asked.push([...devices]);
      return devices.map(() => favourite);
    },
  };
  const world = await three(owned(moody));
  await world.import(6);
  assert.deepEqual(world.loads(), [6, 0, 0]);
  favourite = "bs-12";
  await world.balancer.rotate("test");
  assert.deepEqual(world.loads(), [0, 6, 0]);
  favourite = "bs-13";
  await world.add(deviceInput(6));
  assert.deepEqual(world.loads(), [0, 6, 1]);
  asked.length = 0;
  await world.leave("bs-12");
  assert.deepEqual(world.loads(), [0, 7]);
  assert.equal(asked.flat().length, 6, "only those of the one that is gone");
  assert.ok(asked.flat().every(({ instance }) => instance === null));
});

test("it is told facts of devices and instances, and of the attributes only those that were named for it", async () => {
  const told: { devices: readonly AskedDevice[]; instances: readonly unknown[] }[] = [];
  const world = await three(
    owned({
      choose: async (devices, instances) => {
        told.push({ devices, instances });
        return devices.map(() => null);
      },
    }),
  );
  const attributes = { tier: "gold", server_key: "000102030405060708090a0b0c0d0e0f" };
  await world.add({ ...deviceInput(1), group: "meters", attributes });
  assert.deepEqual(told[0]?.devices, [
    { endpoint: endpointOf(1), group: "meters", attributes: { tier: "gold" }, instance: null },
  ]);
  assert.doesNotMatch(JSON.stringify(told), /0001020304/);
});

test("who may serve comes first: an instance that may not is not taken from it", async () => {
  const log = listeningLogger();
  const world = await three(owned(last, { rules: [{ group: "g", instances: ["bs-11", "bs-12"] }] }), log);
  await world.add(...[0, 1, 2, 3].map((number) => ({ ...deviceInput(number), group: "g" })));
  assert.deepEqual(world.loads(), [2, 2, 0]);
  assert.ok(log.lines.some(({ message }) => /chose instances that may not serve/.test(message)));
});

for (const [what, choose] of [
  ["throws", () => Promise.reject(new Error("no idea"))],
  ["answers for too few", () => Promise.resolve(["bs-11"])],
  ["answers nonsense", () => Promise.resolve("bs-11" as never)],
  ["names instances that are not there", (devices) => Promise.resolve(devices.map(() => "bs-99"))],
  ["names no ids", (devices) => Promise.resolve(devices.map(() => 7 as never))],
] as const satisfies readonly (readonly [string, OwnPolicy["choose"]])[]) {
  test(`a policy that ${what} loses nothing: the fall-back decides, and the log says why`, async () => {
    const log = listeningLogger();
    const world = await three(owned({ choose }), log);
    await world.import(9);
    assert.deepEqual(world.loads(), [3, 3, 3]);
    assert.ok(log.lines.some(({ message }) => /allocation policy/.test(message)));
  });
}

test("after a failure it is not asked for the rest: a thousand batches that time out would take long", async () => {
  let calls = 0;
  const world = await three(
    owned({
      choose: async () => {
        calls++;
        throw new Error("timed out");
      },
    }),
  );
  await world.import(4000);
  calls = 0;
  await world.balancer.rotate("test");
  assert.equal(calls, 1);
});

async function serve(t: TestContext, answer: (body: string, response: ServerResponse) => void): Promise<string> {
  const server: Server = createServer((request: IncomingMessage, response) => {
    let body = "";
    request.on("data", (part: Buffer) => {
      body += part.toString();
    });
    request.on("end", () => answer(`${request.method} ${request.headers.authorization ?? ""} ${body}`, response));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/allocate`;
}

test("over HTTP: it is asked by POST with its token, and its answer counts", async (t) => {
  const requests: string[] = [];
  const url = await serve(t, (body, response) => {
    requests.push(body);
    const { devices } = JSON.parse(body.slice(body.indexOf("{"))) as { devices: AskedDevice[] };
    response.end(JSON.stringify({ instances: devices.map(() => "bs-12") }));
  });
  const hook = new PolicyHook({ url, token: "0123456789abcdef", timeout: 1000 });
  t.after(() => hook.close());
  const world = await three(owned(hook));
  await world.import(5);
  assert.deepEqual(world.loads(), [0, 5, 0]);
  assert.match(requests[0] ?? "", /^POST Bearer 0123456789abcdef \{"devices":\[\{"endpoint":/);
});

for (const [what, answer] of [
  ["is silent", () => {}],
  ["fails", (_: string, response: ServerResponse) => void response.writeHead(500).end()],
  ["answers something else", (_: string, response: ServerResponse) => void response.end('{"instance":"bs-12"}')],
] as const) {
  test(`over HTTP: one that ${what} is given up, and the fall-back decides`, async (t) => {
    const hook = new PolicyHook({ url: await serve(t, answer), timeout: 60 });
    t.after(() => hook.close());
    const world = await three(owned(hook));
    await world.import(6);
    assert.deepEqual(world.loads(), [2, 2, 2]);
  });
}
