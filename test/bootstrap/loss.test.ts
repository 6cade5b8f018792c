import assert from "node:assert/strict";
import { test } from "node:test";
import type { Caller } from "../../src/bootstrap/index.ts";
import { CoapEndpoint } from "../../src/coap/index.ts";
import { seededRandom } from "../../src/lib/random.ts";
import { assignment, World } from "./lockstep.ts";

const DEVICES = 200;
const LATENCY = 40;
const SERVER = { key: "server" };

test("a network that loses every fifth datagram, doubles and reorders some: every session completes in its time", () => {
  const endpoints = Array.from({ length: DEVICES }, (_, index) => `urn:dev:${index}`);
  const world = new World({ assigned: endpoints.map((endpoint) => assignment(endpoint)) });
  const random = seededRandom(8);
  /** What is under way, by the step of 20 ms in which it arrives. */
  const underWay: Map<number, (() => void)[]> = new Map();
  let step = 0;
  const carry = (deliver: () => void): void => {
    const copies = random.uniform() < 0.2 ? 0 : random.uniform() < 0.05 ? 2 : 1;
    for (let copy = 0; copy < copies; copy++) {
      const latency = LATENCY + (random.uniform() < 0.05 ? 60 : 0);
      const at = step + latency / 20;
      underWay.set(at, [...(underWay.get(at) ?? []), deliver]);
    }
  };
  const devices = endpoints.map((endpoint) => {
    const caller: Caller = {
      key: endpoint,
      address: "192.0.2.1",
      port: 1,
      proven: { mode: "psk", identity: `id-${endpoint}` },
      serverName: undefined,
      send: (datagram) => carry(() => coap.receive(SERVER, datagram, world.clock.now())),
      close: () => {},
    };
    const coap: CoapEndpoint<typeof SERVER> = new CoapEndpoint(
      { random },
      {
        send: (_, datagram) => carry(() => world.service.receive(caller, datagram, world.clock.now())),
        request: (request, now) => void request.respond({ code: request.method === "DELETE" ? "2.02" : "2.04" }, now),
      },
    );
    const ask = (): void => {
      const path = { method: "POST", path: ["bs"], query: [`ep=${endpoint}`] } as const;
      // A device whose request was never answered asks again.
      coap.request(SERVER, path, world.clock.now(), (result) => {
        if ("failure" in result) ask();
      });
    };
    ask();
    return coap;
  });
  for (; step < 120_000 / 20 && world.service.counts.completed < DEVICES; step++) {
    for (const deliver of underWay.get(step) ?? []) deliver();
    underWay.delete(step);
    world.passes(20);
    for (const device of devices) device.tick(world.clock.now());
  }
  assert.deepEqual(world.service.counts, { sessions: 0, completed: DEVICES, failed: 0 });
  const told = world.told();
  assert.equal(told.filter((line) => line.startsWith("commenced")).length, DEVICES);
  assert.equal(told.filter((line) => line.startsWith("completed")).length, DEVICES);
});
