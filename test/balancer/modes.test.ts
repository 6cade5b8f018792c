import assert from "node:assert/strict";
import { createHash, generateKeyPairSync } from "node:crypto";
import { test } from "node:test";
import type { DeviceInput, Lookup, LookupReply } from "../../src/control/index.ts";
import { openStorage, SecretBox } from "../../src/storage/index.ts";
import { deviceInput, endpointOf, World } from "./world.ts";

const { publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
const SPKI = publicKey.export({ format: "der", type: "spki" });
const FINGERPRINT = createHash("sha256").update(SPKI).digest("hex");
const SECRET = "ab".repeat(20);

const RPK: DeviceInput = { endpoint: endpointOf(2), publicKey: publicKey.export({ format: "pem", type: "spki" }).toString() };
const X509: DeviceInput = { endpoint: endpointOf(3), mode: "x509", secret: SECRET };
const NOSEC: DeviceInput = { endpoint: endpointOf(4), mode: "nosec", secret: SECRET };

const ask = (world: World, body: Lookup): Promise<LookupReply> =>
  Promise.resolve(world.api.lookup({ params: { id: "bs-11" }, query: {}, body }));

test("devices of all modes are named and handed out, each with what its mode needs, after a restart too", async () => {
  const first = await World.start();
  await first.join("bs-11");
  assert.deepEqual((await first.add(deviceInput(1), RPK, X509, NOSEC)).rejected, []);
  const rest = { profile: "default", attributes: {} };
  const expected = [
    { endpoint: endpointOf(1), mode: "psk", identity: endpointOf(1), ...rest, psk: deviceInput(1).psk },
    { endpoint: endpointOf(2), mode: "rpk", identity: FINGERPRINT, ...rest, secret: SPKI.toString("hex") },
    { endpoint: endpointOf(3), mode: "x509", identity: endpointOf(3), ...rest, secret: SECRET },
    { endpoint: endpointOf(4), mode: "nosec", identity: endpointOf(4), ...rest, secret: SECRET },
  ];
  const names = await Promise.all(expected.map(async ({ endpoint }) => (await first.view(endpoint)).names));
  const world = await first.restart();
  await world.join("bs-11");
  for (const [index, assignment] of expected.entries()) {
    const { endpoint, mode } = assignment;
    assert.deepEqual(await ask(world, { endpoint }), { assignment });
    const view = await world.view(endpoint);
    assert.deepEqual([view.mode, view.names], [mode, names[index]]);
    assert.equal(view.names?.length, 1);
  }
  const events = await world.open("bs-11").events();
  assert.deepEqual(
    events.flatMap((event) => (event.type === "assign" ? event.assignments : [])),
    expected,
  );
});

test("a PSK and a raw public key are found by what they prove; a certificate and nothing by the endpoint only", async () => {
  const world = await World.start();
  await world.join("bs-11");
  await world.add(deviceInput(1, { identity: "meter" }), RPK, X509, NOSEC);
  const found = async (identity: string): Promise<string> => {
    const reply = await ask(world, { identity });
    return "assignment" in reply ? reply.assignment.endpoint : reply.refused;
  };
  assert.equal(await found("meter"), endpointOf(1));
  assert.equal(await found(FINGERPRINT), endpointOf(2));
  for (const number of [1, 2, 3, 4]) assert.equal(await found(endpointOf(number)), "unknown");
});

test("a PSK identity that is the fingerprint of a raw public key is refused to whoever comes second, with the owner", async () => {
  const spoof = deviceInput(1, { identity: FINGERPRINT });
  for (const [owner, latecomer] of [
    [spoof, RPK],
    [RPK, spoof],
  ] as const) {
    const storage = await openStorage({ kind: "memory" }, new SecretBox(new Uint8Array(32).fill(3)));
    await storage.profiles.put("default", {}, 0);
    const world = await World.start({ storage });
    await world.join("bs-11");
    await world.add(owner);
    const { rejected } = await world.add(latecomer);
    assert.match(
      rejected[0]?.reason ?? "",
      new RegExp(`^its (identity belongs to|public key's SHA-256 is .*) ${owner.endpoint}$`),
    );
    const reply = await ask(world, { identity: FINGERPRINT });
    assert.ok("assignment" in reply && reply.assignment.endpoint === owner.endpoint);
    await storage.close();
  }
});

test("a device that changes its mode is told to its instance, and proves nothing by what it had", async () => {
  const world = await World.start();
  await world.join("bs-11");
  await world.add(RPK);
  const stream = world.open("bs-11");
  await stream.events();
  await world.add(deviceInput(2, { psk: "cd".repeat(16) }));
  const told = (await stream.events()).flatMap((event) => (event.type === "assign" ? event.assignments : []));
  assert.deepEqual(told.at(-1), {
    endpoint: endpointOf(2),
    mode: "psk",
    identity: endpointOf(2),
    psk: "cd".repeat(16),
    profile: "default",
    attributes: {},
  });
  assert.deepEqual(await ask(world, { identity: FINGERPRINT }), { refused: "unknown" });
});

test("what a mode lacks or has too much is rejected, and the rest of the batch taken", async () => {
  const world = await World.start();
  await world.join("bs-11");
  const { inserted, rejected } = await world.add(
    { endpoint: endpointOf(1), mode: "x509" },
    { endpoint: endpointOf(2), mode: "nosec", psk: "ab".repeat(16), secret: SECRET },
    { endpoint: endpointOf(3), publicKey: "00ff" },
    NOSEC,
  );
  assert.equal(inserted, 1);
  assert.deepEqual(
    rejected.map(({ reason }) => reason),
    [
      "secret is missing: a device of mode x509 has no key here that its names could be made of",
      "psk is not used in mode nosec; leave it out",
      "public key: 2 bytes that are no SubjectPublicKeyInfo in DER",
    ],
  );
});
