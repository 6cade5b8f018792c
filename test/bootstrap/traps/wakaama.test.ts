import assert from "node:assert/strict";
import { test } from "node:test";
import type { LookupReply } from "../../../src/control/index.ts";
import { parseProfile, profileWarnings } from "../../../src/lwm2m/index.ts";
import { ACCOUNT, assignment, PROFILE, World } from "../lockstep.ts";
import { wakaama } from "./clients.ts";
import { ScriptedClient } from "./scripted-client.ts";

const DISCOVERING = { ...PROFILE, discover: true };

test("Wakaama, SenML CBOR refused: a write it answers 4.06 goes out in a format it reads, and so do all others", () => {
  const world = new World({ profiles: { default: { ...DISCOVERING, contentFormat: "senml-cbor" } } });
  const client = new ScriptedClient(world, wakaama());
  void client.requests("ep=urn:dev:1", "pct=110");
  client.shows(`
    --> CON POST /bs
    <-- ACK 2.04
    <-- CON GET / accept=40
    --> ACK 2.05 40
    <-- CON DELETE /0
    --> ACK 2.02
    <-- CON DELETE /1
    --> ACK 2.02
    <-- CON PUT /0/1 112
    --> ACK 4.06            # it was built without SenML CBOR
    <-- CON PUT /0/1 110    # what it says it prefers
    --> ACK 2.04
    <-- CON PUT /1/1 110
    --> ACK 2.04
    <-- CON POST /bs
    --> ACK 2.04
  `);
  assert.deepEqual(world.told(), ["commenced urn:dev:1", "completed urn:dev:1"]);
  assert.deepEqual(client.accounts(), { "/0/0": undefined, "/0/1": 101, "/1/1": 101 });
});

test("Wakaama, a build with SenML CBOR is written in that as it asks for it", () => {
  const client = new ScriptedClient(new World({ profiles: { default: DISCOVERING } }), wakaama({ cbor: true }));
  void client.requests("ep=urn:dev:1", "pct=112");
  assert.deepEqual(
    client.ladder.filter((line) => line.includes("PUT")),
    ["<-- CON PUT /0/1 112", "<-- CON PUT /1/1 112"],
  );
  assert.equal(client.finished, true);
});

test("Wakaama, a resource it does not know: 4.04 fails the session, and the cause names the write", () => {
  const servers = [{ ...ACCOUNT, serverResources: { 22: "U" } }];
  const world = new World({ profiles: { default: { ...DISCOVERING, servers } } });
  const client = new ScriptedClient(world, wakaama());
  void client.requests("ep=urn:dev:1", "pct=110");
  assert.equal(client.finished, false);
  assert.equal(world.reports[1]?.detail, "the device answered Write /1/1 with 4.04");
  assert.deepEqual(world.told(), ["commenced urn:dev:1", "failed urn:dev:1 request-failed"]);
  const warnings = profileWarnings(parseProfile({ ...DISCOVERING, servers }));
  assert.ok(
    warnings.some((warning) => /Wakaama, which refuses the write/.test(warning)),
    "and the profile's author was told",
  );
});

test("Wakaama, deletes of what it protects or has not: 4.05 and 4.04 do not fail the session", () => {
  const world = new World({ profiles: { default: { ...DISCOVERING, delete: ["/3", "/1/7", "/0", "/1"] } } });
  const client = new ScriptedClient(world, wakaama());
  void client.requests("ep=urn:dev:1", "pct=110");
  assert.deepEqual(client.ladder.slice(4, 8), ["<-- CON DELETE /3", "--> ACK 4.05", "<-- CON DELETE /1/7", "--> ACK 4.04"]);
  assert.deepEqual(world.told(), ["commenced urn:dev:1", "completed urn:dev:1"]);
});

/** An instance whose balancer answers when the test says so. */
function slowBalancer(): { world: World; answer: () => Promise<void> } {
  let give: (reply: LookupReply) => void = () => {};
  const reply = new Promise<LookupReply>((resolve) => {
    give = resolve;
  });
  const world = new World({ assigned: [], ask: () => reply, profiles: { default: DISCOVERING } });
  const answer = async (): Promise<void> => {
    give({ assignment: assignment("urn:dev:1") });
    for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
  };
  return { world, answer };
}

test("Wakaama, a late answer to an empty ACK: within 15 s it is a message of its own, which it acknowledges", async () => {
  const { world, answer } = slowBalancer();
  const client = new ScriptedClient(world, wakaama());
  void client.requests("ep=urn:dev:1", "pct=110");
  client.passes(6000);
  await answer();
  assert.deepEqual(client.ladder.slice(0, 5), [
    "--> CON POST /bs",
    "<-- ACK", // after half a second: it repeats no more
    "<-- CON 2.04", // at 6 s
    "--> ACK",
    "<-- CON GET / accept=40",
  ]);
  assert.equal(client.finished, true);
  assert.deepEqual(world.told(), ["commenced urn:dev:1", "completed urn:dev:1"]);
});

test("Wakaama, an answer after its 15 s is not even acknowledged; the requests behind it are taken all the same", async () => {
  const { world, answer } = slowBalancer();
  // Its request has failed by then: it says nothing to a response, and answers requests.
  const client = new ScriptedClient(world, { ...wakaama(), drops: (datagram) => (datagram[1] ?? 0) >> 5 >= 2 && late });
  let late = false;
  void client.requests("ep=urn:dev:1", "pct=110");
  client.passes(20_000);
  late = true;
  await answer();
  assert.deepEqual(client.ladder.slice(0, 5), [
    "--> CON POST /bs",
    "<-- ACK",
    "<-- CON 2.04", // at 20 s
    "<-- CON GET / accept=40",
    "--> ACK 2.05 40",
  ]);
  assert.equal(client.finished, true);
  assert.deepEqual(world.told(), ["commenced urn:dev:1", "completed urn:dev:1"]);
});

test("Wakaama, explicit port and no path in /0/x/0: a profile without is warned of, as it never registers", () => {
  for (const [uri, warning] of [
    ["coap://lwm2m.example.com", /has no port; Wakaama accepts that but never registers/],
    ["coap://lwm2m.example.com:5683/", /has a path; Wakaama accepts that but never registers/],
    ["coap://lwm2m.example.com:5683/rd", /has a path; Wakaama accepts that but never registers/],
  ] as const) {
    const servers = [{ uri, shortServerId: 101, security: { mode: "nosec" } }];
    const warnings = profileWarnings(parseProfile({ servers }));
    assert.ok(
      warnings.some((line) => warning.test(line)),
      `${uri}: ${warnings}`,
    );
  }
  const servers = [{ uri: "coap://lwm2m.example.com:5683", shortServerId: 101, security: { mode: "nosec" } }];
  assert.deepEqual(profileWarnings(parseProfile({ servers })), []);
});

test("Wakaama's tinydtls: a PSK over 16 bytes or an identity over 32 is warned of, as its handshake then fails", () => {
  const warningsFor = (identity: string, key: string): readonly string[] =>
    profileWarnings(
      parseProfile({
        servers: [{ uri: "coaps://lwm2m.example.com:5684", shortServerId: 101, security: { mode: "psk", identity, key } }],
      }),
    );
  assert.deepEqual(warningsFor("i".repeat(32), "00".repeat(16)), []);
  assert.match(warningsFor("i".repeat(33), "00".repeat(16)).join(), /identity of 33 bytes; tinydtls \(Wakaama\) takes 32/);
  assert.match(warningsFor("i".repeat(32), "00".repeat(17)).join(), /key of 17 bytes; tinydtls \(Wakaama\) takes 16/);
});
