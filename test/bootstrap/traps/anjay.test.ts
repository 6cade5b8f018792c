import assert from "node:assert/strict";
import { test } from "node:test";
import type { LookupReply } from "../../../src/control/index.ts";
import { ACCOUNT, assignment, PROFILE, World } from "../lockstep.ts";
import { anjay } from "./clients.ts";
import { ScriptedClient } from "./scripted-client.ts";

const DISCOVERING = { ...PROFILE, discover: true };
/** What no Bootstrap-Pack can say. */
const UNPACKABLE = { ...DISCOVERING, objects: { "/3/0/15": "Europe/Berlin" } };

/** As Anjay 1.2 begins: Pack, then Bootstrap-Request, then the same as LwM2M 1.0. Gives the codes it was answered. */
async function falls(client: ScriptedClient): Promise<string[]> {
  const codes: string[] = [];
  for (const request of [
    { method: "GET", path: ["bspack"], query: ["ep=urn:dev:1"], accept: 112 },
    { method: "POST", path: ["bs"], query: ["ep=urn:dev:1", "pct=112"] },
    { method: "POST", path: ["bs"], query: ["ep=urn:dev:1"] },
  ] as const) {
    const result = await client.asks(request);
    assert.ok("response" in result);
    codes.push(result.response.code);
    if (result.response.code.startsWith("2")) break;
  }
  return codes;
}

test("Anjay 1.1, account at /0/1: it is found, nothing is written over it, and everything completes", () => {
  const world = new World({ profiles: { default: DISCOVERING } });
  const client = new ScriptedClient(world, anjay("1.1"));
  void client.requests("ep=urn:dev:1", "pct=112");
  client.shows(`
    --> CON POST /bs
    <-- ACK 2.04
    <-- CON GET / accept=40
    --> ACK 2.05 40          # </0/1> has no ssid: its bootstrap account
    <-- CON DELETE /0
    --> ACK 2.02             # all but that
    <-- CON DELETE /1
    --> ACK 2.02
    <-- CON PUT /0/0 112
    --> ACK 2.04
    <-- CON PUT /1/0 112
    --> ACK 2.04
    <-- CON POST /bs
    --> ACK 2.04
  `);
  assert.deepEqual(client.accounts(), { "/0/0": 101, "/0/1": undefined, "/1/0": 101 });
  assert.deepEqual(world.told(), ["commenced urn:dev:1", "completed urn:dev:1"]);
});

test("Anjay 1.1, account at /0/1, and a profile that asks for that very instance: it is given another", () => {
  const servers = [{ ...ACCOUNT, instance: 1 }];
  const world = new World({ profiles: { default: { ...DISCOVERING, servers } } });
  const client = new ScriptedClient(world, anjay("1.1"));
  void client.requests("ep=urn:dev:1", "pct=112");
  assert.equal(client.accounts()["/0/1"], undefined, "the bootstrap account is what it was");
  assert.equal(Object.values(client.accounts()).filter((ssid) => ssid === 101).length, 2);
  assert.deepEqual(world.told(), ["commenced urn:dev:1", "completed urn:dev:1"]);
});

test("Anjay 1.0, Discover in the 1.0 form: its accounts are shown without ssid, and all of them are left alone", () => {
  const world = new World({ profiles: { default: DISCOVERING } });
  const client = new ScriptedClient(world, anjay("1.0"));
  void client.requests("ep=urn:dev:1");
  client.shows(`
    --> CON POST /bs
    <-- ACK 2.04
    <-- CON GET / accept=40
    --> ACK 2.05 40          # lwm2m="1.0",</0>,</0/1>,</1>
    <-- CON DELETE /0
    --> ACK 2.02
    <-- CON DELETE /1
    --> ACK 2.02
    <-- CON PUT /0/0 11542
    --> ACK 2.04
    <-- CON PUT /1/0 11542
    --> ACK 2.04
    <-- CON POST /bs
    --> ACK 2.04
  `);
  assert.deepEqual(client.accounts(), { "/0/0": 101, "/0/1": undefined, "/1/0": 101 });
});

test("Anjay 1.2, /bspack first: it is answered at once, with the Pack", async () => {
  const world = new World({ profiles: { default: DISCOVERING } });
  const client = new ScriptedClient(world, anjay("1.2"));
  assert.deepEqual(await falls(client), ["2.05"]);
  client.shows(`
    --> CON GET /bspack accept=112
    <-- ACK
    <-- CON 2.05 112
    --> ACK                  # delivered
  `);
  client.passes(5100);
  assert.deepEqual(world.told(), ["commenced urn:dev:1", "completed urn:dev:1"]);
});

test("Anjay 1.2, /bspack first: what cannot be said in a Pack is 4.05, never silence, and it goes on with /bs", async () => {
  const world = new World({ profiles: { default: UNPACKABLE } });
  const client = new ScriptedClient(world, anjay("1.2"));
  assert.deepEqual(await falls(client), ["4.05", "2.04"]);
  assert.deepEqual(client.ladder.slice(0, 5), [
    "--> CON GET /bspack accept=112",
    "<-- ACK 4.05",
    "--> CON POST /bs",
    "<-- ACK 2.04",
    "<-- CON GET / accept=40",
  ]);
  assert.equal(client.finished, true);
  assert.deepEqual(world.told(), ["commenced urn:dev:1", "completed urn:dev:1"]);
});

test("Anjay 1.2, three requests in 2 ms from one port with consecutive message ids: each is answered for itself", async () => {
  const missing = assignment("urn:dev:1", { profile: "missing" });
  const world = new World({ assigned: [missing] });
  const client = new ScriptedClient(world, anjay("1.2"));
  assert.deepEqual(await falls(client), ["4.00", "4.00", "4.00"]);
  client.shows(`
    --> CON GET /bspack accept=112
    <-- ACK 4.00 "no bootstrap config"
    --> CON POST /bs
    <-- ACK 4.00 "no bootstrap config"
    --> CON POST /bs
    <-- ACK 4.00 "no bootstrap config"
  `);
  const failure = ["commenced urn:dev:1", "failed urn:dev:1 no-profile"];
  assert.deepEqual(world.told(), [...failure, ...failure, ...failure]);
});

test("Anjay 1.2, three requests that are all there before the balancer has said anything of the device: the last one counts", async () => {
  let give: (reply: LookupReply) => void = () => {};
  const reply = new Promise<LookupReply>((resolve) => {
    give = resolve;
  });
  const world = new World({ assigned: [], ask: () => reply, profiles: { default: DISCOVERING } });
  const device = world.device("id-urn:dev:1");
  device.sends("GET /bspack?ep=urn:dev:1", { accept: 112 });
  device.sends("POST /bs?ep=urn:dev:1&pct=112");
  device.sends("POST /bs?ep=urn:dev:1");
  device.hearsNothing();
  give({ assignment: assignment("urn:dev:1") });
  for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
  device.hears("ACK");
  device.hears("CON 2.05 112");
  device.hears("ACK 2.04");
  device.hears("CON GET / accept=40");
  device.hears("ACK 2.04");
  device.hears("CON GET / accept=40");
  assert.equal(world.asked.length, 1, "the balancer was asked once");
  assert.deepEqual(world.told(), [
    "commenced urn:dev:1",
    "failed urn:dev:1 cancelled",
    "commenced urn:dev:1",
    "failed urn:dev:1 cancelled",
    "commenced urn:dev:1",
  ]);
  device.answers("2.05", "</>;lwm2m=1.2,</0/1>,</1>");
  device.hears("CON DELETE /0");
});

test("Anjay, 4.06 at Finish while /1 lacks its short server id: it is read, written again, and Finish repeated", () => {
  const world = new World({ profiles: { default: DISCOVERING } });
  let broken = true;
  const client = new ScriptedClient(world, {
    ...anjay("1.1"),
    finish: (self) => {
      // Something on the device has lost the resource once.
      const server = self.instances.get("/1/0");
      if (broken && server !== undefined) {
        const resources = new Map([...server.resources].filter(([id]) => id !== 0));
        self.instances.set("/1/0", { ...server, resources });
        broken = false;
      }
      return anjay("1.1").finish?.(self);
    },
  });
  void client.requests("ep=urn:dev:1", "pct=112");
  assert.deepEqual(client.ladder.slice(12), [
    "<-- CON POST /bs",
    "--> ACK 4.06",
    "<-- CON GET / accept=40",
    "--> ACK 2.05 40",
    "<-- CON GET /1 accept=112",
    "--> ACK 2.05 112",
    "<-- CON PUT /1/0 112",
    "--> ACK 2.04",
    "<-- CON POST /bs",
    "--> ACK 2.04",
  ]);
  assert.deepEqual(client.accounts(), { "/0/0": 101, "/0/1": undefined, "/1/0": 101 });
  assert.deepEqual(world.told(), ["commenced urn:dev:1", "completed urn:dev:1"]);
});

test("Anjay, SNI with a literal address (RFC 6066 forbids it): it says nothing of a name, and the device is served", () => {
  for (const serverName of ["127.0.0.1", "2001:db8::1"]) {
    const world = new World({ profiles: { default: DISCOVERING } });
    const client = new ScriptedClient(world, anjay("1.1"), { serverName });
    void client.requests("ep=urn:dev:1", "pct=112");
    assert.equal(client.finished, true);
  }
});

test("Anjay, LwM2M CBOR refused: it says 4.00 of formats it does not know, and is written in the one it prefers", () => {
  const world = new World({ profiles: { default: { ...DISCOVERING, contentFormat: "lwm2m-cbor" } } });
  const client = new ScriptedClient(world, anjay("1.2"));
  void client.requests("ep=urn:dev:1", "pct=112");
  assert.deepEqual(
    client.ladder.filter((line) => /PUT|4\.00/.test(line)),
    ["<-- CON PUT /0/0 11544", "--> ACK 4.00", "<-- CON PUT /0/0 112", "<-- CON PUT /1/0 112"],
  );
  assert.deepEqual(world.told(), ["commenced urn:dev:1", "completed urn:dev:1"]);
});
