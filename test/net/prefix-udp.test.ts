import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { after, before, test } from "node:test";
import { CannotListen, openPrefixUdp, openUdp, type PrefixUdpOptions, pause, type UdpSocket } from "../../src/net/index.ts";
import { addPrefix, needsPrefix, type TestPrefix } from "../support/prefix.ts";
import { until } from "../support/until.ts";

const skip = needsPrefix();
let own: TestPrefix;
before(() => {
  if (skip === false) own = addPrefix();
});
after(() => own?.remove());

/** A socket on the whole prefix that sends back what comes. */
function echo(more: Partial<PrefixUdpOptions> = {}): UdpSocket {
  const socket: UdpSocket = openPrefixUdp({
    prefix: own.prefix,
    port: 0,
    onDatagram: (bytes, address, port, local) => socket.send(bytes, port, address, local),
    ...more,
  });
  return socket;
}

/** A client, and what came to it: text, and the address it came from. */
async function client(): Promise<{ socket: UdpSocket; all: string[] }> {
  const all: string[] = [];
  const onDatagram = (bytes: Uint8Array, from: string): void => void all.push(`${Buffer.from(bytes)} from ${from}`);
  return { socket: await openUdp({ address: "::1", port: 0, onDatagram }), all };
}

test("RFC 3542 6.1: each address of a prefix is heard, and answers come from the one that was asked", { skip }, async () => {
  const server = echo();
  const { socket, all } = await client();
  const addresses = [`${own.start}:1`, `${own.start}1:2:3:4`, `${own.start}ffff:ffff:ffff:ffff`, `${own.start}:`];
  for (const [index, address] of addresses.entries()) socket.send(Buffer.from(`${index}`), server.port, address);
  await until(() => all.length === addresses.length, "all are answered");
  assert.deepEqual(all.toSorted(), addresses.map((address, index) => `${index} from ${address}`).toSorted());
  await server.close();
  await socket.close();
});

test("what is sent to the host's other addresses is not for this socket", { skip }, async () => {
  const heard: (string | undefined)[] = [];
  const server = echo({ onDatagram: (_bytes, _address, _port, local) => void heard.push(local) });
  const { socket } = await client();
  socket.send(Buffer.from("x"), server.port, "::1");
  socket.send(Buffer.from("x"), server.port, `${own.start}:7`);
  await until(() => heard.length > 0, "one came");
  await pause(20);
  assert.deepEqual(heard, [`${own.start}:7`]);
  await server.close();
  await socket.close();
});

test("bursts come whole and in their order, the largest datagrams too; what is too long for the room is dropped", {
  skip,
}, async () => {
  const heard: Uint8Array[] = [];
  const server = echo({ onDatagram: (bytes) => void heard.push(bytes) });
  const { socket } = await client();
  for (let index = 0; index < 500; index++) socket.send(Buffer.from([index >> 8, index & 0xff]), server.port, `${own.start}:1`);
  for (const length of [9217, 9216, 0]) socket.send(Buffer.alloc(length, 7), server.port, `${own.start}:1`);
  await until(() => heard.length >= 502, "they came");
  assert.deepEqual(
    heard.slice(0, 500).map(([high = 0, low = 0]) => (high << 8) | low),
    Array.from({ length: 500 }, (_, index) => index),
  );
  assert.deepEqual(
    heard.slice(500).map(({ length }) => length),
    [9216, 0],
  );
  await server.close();
  await socket.close();
});

test("it closes at once, also from within a datagram, and leaves no file open", { skip }, async () => {
  const files = (): number => readdirSync("/proc/self/fd").length;
  const { socket } = await client();
  const before = files();
  for (let round = 0; round < 20; round++) {
    let closed: Promise<void> | undefined;
    const server = echo({
      onDatagram: () => {
        closed ??= server.close();
      },
    });
    for (let index = 0; index < 3; index++) socket.send(Buffer.from("x"), server.port, `${own.start}:1`);
    await until(() => closed !== undefined, "it came");
    await closed;
    assert.doesNotThrow(() => server.send(Buffer.from("x"), 9, "::1", `${own.start}:1`), "what is sent then is lost");
    await server.close();
  }
  const started = performance.now();
  for (let round = 0; round < 20; round++) await echo().close();
  assert.ok(performance.now() - started < 2000, "without waiting for what does not come");
  assert.equal(files(), before);
  await socket.close();
});

test("what cannot be sent is lost, and nothing breaks", { skip }, async () => {
  const server = echo();
  assert.doesNotThrow(() => server.send(Buffer.from("x"), 0, "::1", `${own.start}:1`), "a forged source with port 0");
  assert.doesNotThrow(() => server.send(Buffer.alloc(70_000), 9, "::1", `${own.start}:1`), "too long");
  assert.doesNotThrow(() => server.send(Buffer.from("x"), 9, "2001:db8::1", `${own.start}:1`), "nowhere");
  assert.doesNotThrow(() => server.send(Buffer.from("x"), 9, "::1"), "from no address");
  await server.close();
});

test("a prefix that is not this host's own, and a port that is taken, say what to do", { skip }, async () => {
  const code = (code: string, text: RegExp) => (error: unknown) =>
    error instanceof CannotListen && error.code === code && text.test(error.message);
  const elsewhere = (): unknown => openPrefixUdp({ prefix: "2001:db8:7::/64", port: 0, onDatagram: () => {} });
  assert.throws(
    elsewhere,
    code("address-not-available", /udp 2001:db8:7::\/64: .* ip -6 route add local 2001:db8:7::\/64 dev lo/),
  );
  const server = echo();
  assert.throws(
    () => echo({ port: server.port }),
    code("address-in-use", new RegExp(`udp ${own.prefix} port ${server.port}: it is in use`)),
  );
  await server.close();
});
