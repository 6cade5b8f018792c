import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Listener } from "../../src/bootstrap/index.ts";
import { DtlsClient, loadOpenSsl } from "../../src/dtls/index.ts";
import { CannotListen, openUdp, systemClock } from "../../src/net/index.ts";
import { addPrefix, needsPrefix, type TestPrefix } from "../support/prefix.ts";
import { until } from "./fake-balancer.ts";
import { assignment } from "./lockstep.ts";
import { openDevice, startSite } from "./site.ts";
import { pskOf } from "./udp-device.ts";

const skip = needsPrefix();
const LIMIT = { skip, timeout: 30_000 };
let own: TestPrefix;
before(() => {
  if (skip === false) own = addPrefix();
});
after(() => own?.remove());

function onPrefix(scheme: Listener["scheme"]): Listener {
  return { scheme, address: own.prefix, port: 0 };
}

test("R5: an instance serves each device at its own address within its prefix, with DTLS and without", LIMIT, async () => {
  const endpoints = ["urn:dev:1", "urn:dev:2", "urn:dev:3"];
  const { instance, balancer } = await startSite(endpoints, [onPrefix("coaps"), onPrefix("coap")]);
  for (const [index, endpoint] of endpoints.entries()) {
    const secure = index < 2;
    const credential = secure ? { credential: pskOf(assignment(endpoint)) } : {};
    const address = `${own.start}${index + 1}:2:3:4`;
    const device = await openDevice(instance, { address, from: "::1", ...credential }, secure ? 0 : 1);
    assert.equal(await device.bootstrap(endpoint), "2.04");
    await device.finished;
  }
  const completed = (): number => balancer.applied.filter(({ kind }) => kind === "completed").length;
  await until(() => completed() === endpoints.length, "the news of all");
});

test("one address and port has an association with each address of the prefix: neither ends the other", LIMIT, async () => {
  const { instance } = await startSite(["urn:dev:1", "urn:dev:2"], [onPrefix("coaps")]);
  const port = instance.listeners[0]?.port ?? 0;
  const clients: Map<string, DtlsClient> = new Map();
  const ends: string[] = [];
  const onDatagram = (bytes: Uint8Array, from: string): void => void clients.get(from)?.receive(bytes, systemClock.now());
  const socket = await openUdp({ address: "::1", port: 0, onDatagram });
  for (const [index, endpoint] of ["urn:dev:1", "urn:dev:2"].entries()) {
    const address = `${own.start}${index + 1}:2:3:4`;
    await new Promise<void>((secured) => {
      const client = new DtlsClient(
        loadOpenSsl(),
        { credential: pskOf(assignment(endpoint)) },
        {
          send: (datagram) => socket.send(datagram, port, address),
          secured,
          message: () => {},
          closed: (reason) => void ends.push(reason),
        },
      );
      clients.set(address, client);
      client.connect(systemClock.now());
    });
  }
  assert.deepEqual(ends, []);
  for (const client of clients.values()) client.close(systemClock.now());
  await socket.close();
});

test("an instance whose prefix is not routed to it says what to do, and does not start", LIMIT, async () => {
  const listener: Listener = { scheme: "coaps", address: "2001:db8:5::/64", port: 0 };
  await assert.rejects(
    startSite([], [listener]),
    (error: unknown) => error instanceof CannotListen && /ip -6 route add local 2001:db8:5::\/64 dev lo/.test(error.message),
  );
});
