import assert from "node:assert/strict";
import { EventEmitter, once } from "node:events";
import { test } from "node:test";
import { seededRandom } from "../../src/lib/random.ts";
import { CannotListen, openImpairedUdp, openTcpServer, openUdp, type UdpSocket } from "../../src/net/index.ts";

/** A socket and the datagrams that reach it. */
async function receiver(address = "127.0.0.1"): Promise<{ socket: UdpSocket; next(): Promise<string>; all: string[] }> {
  const events = new EventEmitter();
  const all: string[] = [];
  const onDatagram = (bytes: Uint8Array): void => {
    all.push(Buffer.from(bytes).toString());
    events.emit("datagram", all.at(-1));
  };
  const socket = await openUdp({ address, port: 0, onDatagram });
  return { socket, all, next: async () => String((await once(events, "datagram"))[0]) };
}

test("datagrams go over IPv4 and IPv6", async () => {
  for (const address of ["127.0.0.1", "::1"]) {
    const [a, b] = [await receiver(address), await receiver(address)];
    const arrived = b.next();
    a.socket.send(Buffer.from("hello"), b.socket.port, address);
    assert.equal(await arrived, "hello");
    await a.socket.close();
    await b.socket.close();
  }
});

test("a forged source with port 0 is not answered, and nothing breaks", async () => {
  const { socket } = await receiver();
  assert.doesNotThrow(() => socket.send(Buffer.from("x"), 0, "127.0.0.1"));
  await socket.close();
  assert.doesNotThrow(() => socket.send(Buffer.from("x"), 9, "127.0.0.1"), "nor after it is closed");
});

test("a port that is taken, and an address that is not there, are told apart", async () => {
  const { socket } = await receiver();
  const taken = openUdp({ address: "127.0.0.1", port: socket.port, onDatagram: () => {} });
  await assert.rejects(taken, (error: unknown) => error instanceof CannotListen && error.code === "address-in-use");
  await socket.close();
  const elsewhere = openUdp({ address: "192.0.2.1", port: 0, onDatagram: () => {} });
  await assert.rejects(elsewhere, (error: unknown) => error instanceof CannotListen && error.code === "address-not-available");
  const server = await openTcpServer({ address: "127.0.0.1", port: 0 }, (connection) => connection.destroy());
  await assert.rejects(
    openTcpServer(server, () => {}),
    (error: unknown) => error instanceof CannotListen && /tcp 127\.0\.0\.1 port \d+/.test(error.message),
  );
  await server.close();
});

test("a bad network loses and doubles the shares it is told to, both ways", async () => {
  const { socket, all } = await receiver();
  const impairment = { loss: 0.2, duplicate: 0.1, reorder: 0 };
  const bad = await openImpairedUdp({ address: "127.0.0.1", port: 0, onDatagram: () => {} }, impairment, seededRandom(1));
  const last = new Promise<void>((resolve) => {
    const look = setInterval(() => {
      if (!all.includes("last")) return;
      clearInterval(look);
      resolve();
    }, 5);
  });
  for (let index = 0; index < 1000; index++) bad.send(Buffer.from(String(index)), socket.port, "127.0.0.1");
  const sure = await receiver();
  sure.socket.send(Buffer.from("last"), socket.port, "127.0.0.1");
  await last;
  const distinct = new Set(all).size - 1;
  assert.ok(distinct > 750 && distinct < 850, `${distinct} of 1000 arrived`);
  const doubled = all.length - 1 - distinct;
  assert.ok(doubled > 40 && doubled < 130, `${doubled} came twice`);
  for (const each of [socket, bad, sure.socket]) await each.close();
});
