import assert from "node:assert/strict";
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { test } from "node:test";
import { generate, parse } from "coap-packet";
import { PROFILE, World } from "../lockstep.ts";
import { startSite } from "../site.ts";
import { leshan } from "./clients.ts";
import { ScriptedClient } from "./scripted-client.ts";

const DISCOVERING = { ...PROFILE, discover: true };

test("Leshan, Finish answered by an empty ACK and then a message of its own: the session completes with that", () => {
  const world = new World({ profiles: { default: DISCOVERING } });
  const client = new ScriptedClient(world, leshan());
  void client.requests("ep=urn:dev:1", "pct=112");
  assert.deepEqual(client.ladder.slice(-4), [
    "<-- CON POST /bs",
    "--> ACK", // it has the request, and checks what it was given
    "--> CON 2.04",
    "<-- ACK",
  ]);
  assert.deepEqual(world.told(), ["commenced urn:dev:1", "completed urn:dev:1"]);
  assert.deepEqual(client.accounts(), { "/0/0": undefined, "/0/1": 101, "/1/1": 101 });
});

test("Leshan, a late answer behind an empty ACK is taken for as long as a request may take", () => {
  const world = new World();
  const device = world.device("id-urn:dev:1");
  device.sends("POST /bs?ep=urn:dev:1");
  device.hears("ACK 2.04");
  device.hears("CON DELETE /0");
  device.empties("ACK");
  world.passes(25_000);
  device.hearsNothing();
  device.answersLate("2.02");
  device.hears("ACK");
  device.hears("CON DELETE /1");
});

test("Leshan, a format it cannot write is 4.15, and the next one is tried", () => {
  const world = new World({ profiles: { default: { ...DISCOVERING, contentFormat: "lwm2m-cbor" } } });
  const client = new ScriptedClient(world, leshan());
  void client.requests("ep=urn:dev:1", "pct=112");
  assert.deepEqual(
    client.ladder.filter((line) => /PUT|4\.15/.test(line)),
    ["<-- CON PUT /0/1 11544", "--> ACK 4.15", "<-- CON PUT /0/1 112", "<-- CON PUT /1/1 112"],
  );
  assert.equal(client.finished, true);
});

test("Leshan, a delete of its bootstrap account is 4.00, and goes no further", () => {
  const world = new World({ profiles: { default: { ...PROFILE, delete: ["/0/0", "/0", "/1"] } } });
  const client = new ScriptedClient(world, leshan());
  void client.requests("ep=urn:dev:1", "pct=112");
  assert.deepEqual(client.ladder.slice(2, 4), ["<-- CON DELETE /0/0", "--> ACK 4.00"]);
  assert.deepEqual(world.told(), ["commenced urn:dev:1", "completed urn:dev:1"]);
});

test("Leshan without DTLS takes requests only from the address and port it has asked: all come from there", {
  timeout: 20_000,
}, async () => {
  const { instance, balancer } = await startSite(
    ["urn:dev:1"],
    [
      { scheme: "coap", address: "127.0.0.1", port: 0 },
      { scheme: "coap", address: "127.0.0.2", port: 0 },
    ],
  );
  const asked = instance.listeners[1];
  assert.ok(asked !== undefined);
  // A connected socket hears from its peer alone; a second one, on the same port, would hear what came from elsewhere.
  const socket: Socket = createSocket("udp4");
  try {
    socket.connect(asked.port, asked.address);
    await once(socket, "connect");
    const sources = new Set<string>();
    socket.on("message", (bytes, from) => {
      sources.add(`${from.address}:${from.port}`);
      const { code, messageId, token } = parse(bytes);
      if (!code.startsWith("0.") || code === "0.00") return;
      const answer = { ack: true, code: code === "0.04" ? "2.02" : "2.04", messageId, token } as const;
      socket.send(generate(answer));
    });
    const query = [{ name: "Uri-Query", value: Buffer.from("ep=urn:dev:1") }] as const;
    const options = [{ name: "Uri-Path", value: Buffer.from("bs") } as const, ...query];
    socket.send(generate({ code: "0.02", confirmable: true, messageId: 7, token: Buffer.from([1]), options }));
    while (balancer.told.length < 2) await new Promise((resolve) => setTimeout(resolve, 10));
    assert.deepEqual(balancer.told, ["commenced urn:dev:1", "completed urn:dev:1"]);
    assert.deepEqual([...sources], [`127.0.0.2:${asked.port}`]);
  } finally {
    socket.close();
  }
});
