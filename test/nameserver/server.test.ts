import assert from "node:assert/strict";
import { createSocket, type Socket as UdpSocket } from "node:dgram";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { networkInterfaces } from "node:os";
import { type TestContext, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { silentLogger } from "../../src/lib/log.ts";
import { seededRandom } from "../../src/lib/random.ts";
import { Nameserver, type NameserverLimits } from "../../src/nameserver/index.ts";
import { liveTable, queryBytes, reading, ZONE } from "./fixture.ts";

const NO_IPV6 = Object.values(networkInterfaces())
  .flat()
  .some((address) => address?.address === "::1")
  ? false
  : "this host has no ::1";

async function start(
  t: TestContext,
  more: { address?: string; limits?: Partial<NameserverLimits> } = {},
): Promise<{ server: Nameserver; port: number; address: string }> {
  const { address = "127.0.0.1", limits } = more;
  const server = await Nameserver.start({
    zone: ZONE,
    table: liveTable(),
    listen: [{ address, port: 0 }],
    log: silentLogger,
    ...(limits === undefined ? {} : { limits }),
  });
  t.after(() => server.close());
  return { server, address, port: server.addresses[0]?.port ?? 0 };
}

async function overUdp(message: Uint8Array, port: number, address = "127.0.0.1"): Promise<Uint8Array> {
  const socket: UdpSocket = createSocket(address.includes(":") ? "udp6" : "udp4");
  try {
    socket.send(message, port, address);
    const [answer] = (await once(socket, "message", { signal: AbortSignal.timeout(5000) })) as [Buffer];
    return answer;
  } finally {
    socket.close();
  }
}

/** A TCP connection that collects the messages it is sent. */
class Client {
  readonly socket: Socket;
  readonly messages: Buffer[] = [];
  readonly closed: Promise<unknown>;
  #bytes: Buffer = Buffer.alloc(0);

  constructor(port: number, address = "127.0.0.1") {
    this.socket = connect({ port, host: address });
    this.closed = new Promise((resolve) => this.socket.on("close", resolve));
    this.socket.on("error", () => {});
    this.socket.on("data", (chunk: Buffer) => {
      this.#bytes = Buffer.concat([this.#bytes, chunk]);
      while (this.#bytes.length >= 2 && this.#bytes.length >= 2 + this.#bytes.readUInt16BE(0)) {
        const end = 2 + this.#bytes.readUInt16BE(0);
        this.messages.push(this.#bytes.subarray(2, end));
        this.#bytes = this.#bytes.subarray(end);
      }
    });
  }

  async received(count: number): Promise<readonly Buffer[]> {
    for (let tries = 0; this.messages.length < count && tries < 500; tries++) await pause(10);
    assert.equal(this.messages.length, count);
    return this.messages;
  }
}

function framed(message: Uint8Array): Buffer {
  return Buffer.concat([Uint8Array.of(message.length >> 8, message.length & 0xff), message]);
}

const FOUR = queryBytes("four.bs.example.com", "A");
const NONE = queryBytes("none.bs.example.com", "A");

test("R2: one port answers over UDP and over TCP", async (t) => {
  const { port, server } = await start(t);
  assert.deepEqual(reading(await overUdp(FOUR, port)).answer, ["A four.bs.example.com 30 192.0.2.1"]);
  const client = new Client(port);
  t.after(() => client.socket.destroy());
  client.socket.write(framed(NONE));
  assert.equal(reading((await client.received(1))[0] ?? FOUR).rcode, "NXDOMAIN");
  assert.deepEqual([server.stats.queries, server.stats.rcodes.NOERROR, server.stats.rcodes.NXDOMAIN], [2, 1, 1]);
});

test("R2: it answers over IPv6", { skip: NO_IPV6 }, async (t) => {
  const { port } = await start(t, { address: "::1" });
  assert.equal(reading(await overUdp(FOUR, port, "::1")).rcode, "NOERROR");
  const client = new Client(port, "::1");
  t.after(() => client.socket.destroy());
  client.socket.write(framed(FOUR));
  assert.equal((await client.received(1)).length, 1);
});

test("RFC 7766 6.2.1.1: queries sent in one go are all answered, in their order", async (t) => {
  const { port } = await start(t);
  const client = new Client(port);
  t.after(() => client.socket.destroy());
  const queries = Array.from({ length: 500 }, (_, id) =>
    framed(queryBytes(id % 2 ? "four.bs.example.com" : "none.bs.example.com", "A", { id })),
  );
  client.socket.write(Buffer.concat(queries));
  const answers = await client.received(500);
  assert.deepEqual(
    answers.map((answer) => answer.readUInt16BE(0)),
    queries.map((_, id) => id),
  );
});

test("RFC 7766 8: a query is understood however its bytes are split, also inside the length", async (t) => {
  const { port } = await start(t);
  const client = new Client(port);
  t.after(() => client.socket.destroy());
  client.socket.setNoDelay(true);
  const bytes = Buffer.concat([framed(FOUR), framed(NONE)]);
  for (const [from, to] of [
    [0, 1],
    [1, 2],
    [2, 9],
    [9, 40],
    [40, bytes.length - 1],
    [bytes.length - 1, bytes.length],
  ] as const) {
    client.socket.write(bytes.subarray(from, to));
    await pause(15);
  }
  assert.deepEqual(
    (await client.received(2)).map((answer) => reading(answer).rcode),
    ["NOERROR", "NXDOMAIN"],
  );
});

test("RFC 7766 6.2.4: a client that closes its side after a query still gets the answer", async (t) => {
  const { port } = await start(t);
  const client = new Client(port);
  client.socket.end(framed(FOUR));
  await client.closed;
  assert.equal((await client.received(1)).length, 1);
});

test("RFC 7766 6.2.3: a connection that is silent, or sends single bytes, is closed after the idle time", async (t) => {
  const { port } = await start(t, { limits: { connections: 10, idle: 300 } });
  const silent = new Client(port);
  const trickling = new Client(port);
  const busy = new Client(port);
  // The beginning of a message of 257 bytes, which would take 13 s.
  const drip = setInterval(() => trickling.socket.write(Uint8Array.of(1)), 50);
  const ask = setInterval(() => busy.socket.write(framed(FOUR)), 50);
  t.after(() => {
    clearInterval(drip);
    clearInterval(ask);
    busy.socket.destroy();
  });
  await Promise.all([silent.closed, trickling.closed]);
  await pause(400);
  assert.equal(busy.socket.destroyed, false);
});

test("RFC 7766 6.2.2: past the limit of connections, the one that was silent longest makes room", async (t) => {
  const { port } = await start(t, { limits: { connections: 3, idle: 60_000 } });
  const clients: Client[] = [];
  t.after(() => {
    for (const client of clients) client.socket.destroy();
  });
  for (let index = 0; index < 3; index++) {
    const client = new Client(port);
    clients.push(client);
    client.socket.write(framed(FOUR));
    await client.received(1);
  }
  clients[0]?.socket.write(framed(FOUR));
  await clients[0]?.received(2);
  const last = new Client(port);
  clients.push(last);
  last.socket.write(framed(FOUR));
  await last.received(1);
  await clients[1]?.closed;
  assert.deepEqual(
    clients.map((client) => client.socket.destroyed),
    [false, true, false, false],
  );
});

test("RFC 1035 4.2.2: a message longer than any query, an empty one and a response end the connection", async (t) => {
  const { port } = await start(t);
  const response = queryBytes("four.bs.example.com", "A", { type: "response" });
  for (const bytes of [Buffer.from("ffff", "hex"), Buffer.from("0000", "hex"), framed(response)]) {
    const client = new Client(port);
    client.socket.write(bytes);
    await client.closed;
    assert.equal(client.messages.length, 0);
  }
});

test("a client that asks without reading the answers is soon not served further, then cut off", async (t) => {
  const { port, server } = await start(t, { limits: { connections: 10, idle: 800 } });
  const socket = connect({ port, host: "127.0.0.1" });
  socket.on("error", () => {});
  t.after(() => socket.destroy());
  socket.pause();
  const batch = Buffer.concat(new Array(1000).fill(framed(queryBytes("bs.example.com", "NS"))));
  const sender = setInterval(() => socket.writableLength < 1_000_000 && socket.write(batch), 1);
  await new Promise((resolve) => socket.on("close", resolve));
  clearInterval(sender);
  const served = server.stats.queries;
  await pause(100);
  assert.equal(server.stats.queries, served);
});

test("a port of another program is named in the error, and nothing stays open", async (t) => {
  const { port } = await start(t);
  const listen = [
    { address: "127.0.0.1", port: 0 },
    { address: "127.0.0.1", port },
  ];
  await assert.rejects(Nameserver.start({ zone: ZONE, table: liveTable(), listen, log: silentLogger }), {
    code: "address-in-use",
  });
});

test("a table of another zone is refused", async () => {
  const options = { zone: ZONE, table: liveTable("other.example"), listen: [], log: silentLogger };
  await assert.rejects(Nameserver.start(options), { code: "invalid-input" });
});

test("neither start, queries nor close write a name to the log", async () => {
  const lines: string[] = [];
  const write = (fields: unknown, message: string): void => void lines.push(`${JSON.stringify(fields)} ${message}`);
  const log = { debug: write, info: write, warn: write, error: write };
  const server = await Nameserver.start({ zone: ZONE, table: liveTable(), listen: [{ address: "127.0.0.1", port: 0 }], log });
  await overUdp(FOUR, server.addresses[0]?.port ?? 0);
  await server.close();
  assert.equal(lines.length, 2);
  assert.doesNotMatch(lines.join("\n"), /four|none/);
});

test("20,000 random and truncated datagrams leave it answering, in the memory it had", async (t) => {
  const { port, server } = await start(t);
  const random = seededRandom(2026);
  const socket = createSocket("udp4");
  t.after(() => socket.close());
  const flood = async (count: number): Promise<void> => {
    for (let sent = 0; sent < count; sent++) {
      const bytes =
        random.uniform() < 0.5
          ? random.bytes(Math.floor(random.uniform() * 60))
          : FOUR.subarray(0, Math.floor(random.uniform() * FOUR.length));
      socket.send(bytes, port, "127.0.0.1");
      if (sent % 100 === 99) await pause(1);
    }
    for (let tries = 0; server.stats.queries < count * 0.9 && tries < 200; tries++) await pause(10);
  };
  await flood(4000);
  globalThis.gc?.();
  const before = process.memoryUsage();
  await flood(16_000);
  assert.equal(reading(await overUdp(FOUR, port)).rcode, "NOERROR");
  globalThis.gc?.();
  const after = process.memoryUsage();
  const grown = after.heapUsed + after.external - before.heapUsed - before.external;
  assert.ok(grown < 4_000_000, `it grew by ${grown} bytes`);
  assert.ok(server.stats.rcodes.FORMERR > 1000 && server.stats.dropped > 1000);
});
