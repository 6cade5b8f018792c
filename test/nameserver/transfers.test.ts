import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { isForTransfers, signTsig, TYPE, type ZoneTransfers } from "../../src/dns/index.ts";
import { silentLogger } from "../../src/lib/log.ts";
import { seededRandom } from "../../src/lib/random.ts";
import { Nameserver } from "../../src/nameserver/index.ts";
import { resolveHost } from "../../src/net/index.ts";
import { until } from "../support/until.ts";
import { liveTable, queryBytes, reading, ZONE } from "./fixture.ts";

/** A hidden primary that makes messages as long as they are taken. */
class Endless implements ZoneTransfers {
  readonly serial = 4_000_000_000;
  made = 0;
  ended = 0;
  /** How long each message is in the making, ms. */
  slowness = 0;
  most: number = Number.POSITIVE_INFINITY;

  async *respond(): AsyncGenerator<Uint8Array> {
    try {
      for (let left = this.most; left > 0; left--) {
        if (this.slowness > 0) await pause(this.slowness);
        this.made++;
        yield new Uint8Array(16_000).fill(7);
      }
    } finally {
      this.ended++;
    }
  }
}

async function start(t: TestContext, transfers: Endless, idle = 10_000): Promise<Nameserver> {
  const server = await Nameserver.start({
    zone: ZONE,
    table: liveTable(),
    listen: [{ address: "127.0.0.1", port: 0 }],
    log: silentLogger,
    transfers,
    limits: { connections: 10, idle },
  });
  t.after(() => server.close());
  return server;
}

const AXFR = framed(queryBytes(ZONE.name, TYPE.AXFR));

function framed(message: Uint8Array): Uint8Array {
  return Uint8Array.from([message.length >> 8, message.length & 0xff, ...message]);
}

function open(t: TestContext, server: Nameserver): Socket {
  const socket = connect({ port: server.addresses[0]?.port ?? 0, host: "127.0.0.1" });
  socket.on("error", () => {});
  t.after(() => socket.destroy());
  return socket;
}

test("no more of a transfer is made than the peer takes, others are answered meanwhile, and it ends with the connection", async (t) => {
  const transfers = new Endless();
  const server = await start(t, transfers);
  const reader = open(t, server).pause();
  reader.write(AXFR);
  await until(() => transfers.made > 0, "it begins");
  await pause(200);
  const made = transfers.made;
  assert.ok(made < 1000, `${made} messages of 16 kB wait in the system's buffers`);
  await pause(200);
  assert.equal(transfers.made, made, "it waits");
  const port = server.addresses[0]?.port ?? 0;
  assert.deepEqual((await resolveHost("both.bs.example.com", [`127.0.0.1:${port}`])).ipv4, ["192.0.2.2"]);
  reader.resume();
  await until(() => transfers.made > made + 100, "it goes on");
  reader.destroy();
  await until(() => transfers.ended === 1, "it ends");
});

test("RFC 7766 section 6.2.3: a transfer that moves is not idle, nor is one that is still being made; a peer that takes nothing is", async (t) => {
  const transfers = new Endless();
  const server = await start(t, transfers, 300);
  transfers.slowness = 700;
  transfers.most = 3;
  const patient = open(t, server);
  let bytes = 0;
  patient.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
  });
  patient.write(AXFR);
  await until(() => bytes === 3 * 16_002, "all of it arrives", 10);
  transfers.slowness = 0;
  transfers.most = Number.POSITIVE_INFINITY;
  const stuck = open(t, server).pause();
  stuck.write(AXFR);
  await until(() => transfers.ended === 2, "it is cut off", 10);
});

test("what is asked behind a transfer is answered behind it, with the serial of the hidden primary", async (t) => {
  const transfers = new Endless();
  transfers.most = 2;
  const server = await start(t, transfers);
  const socket = open(t, server);
  const chunks: Buffer[] = [];
  socket.on("data", (chunk: Buffer) => chunks.push(chunk));
  socket.write(Buffer.concat([AXFR, framed(queryBytes(ZONE.name, "SOA"))]));
  await until(() => Buffer.concat(chunks).length > 2 * 16_002, "the answer");
  const { answer } = reading(Buffer.concat(chunks).subarray(2 * 16_002 + 2));
  assert.match(answer.join(), /"serial":4000000000/);
});

test("a message that the hidden primary gives no answer to ends the connection", async (t) => {
  const transfers = new Endless();
  transfers.most = 0;
  const socket = open(t, await start(t, transfers));
  socket.write(AXFR);
  await once(socket, "close", { signal: AbortSignal.timeout(5000) });
});

test("RFC 8945 section 5.1: what is signed or asks for a transfer is the hidden primary's, whatever else comes is not", () => {
  const key = { name: "berth", algorithm: "hmac-sha256", secret: new Uint8Array(32) } as const;
  const plain = new Uint8Array(queryBytes("bs.example.com", "A"));
  const signed = signTsig(plain, key, 0).message;
  assert.deepEqual([plain, signed].map(isForTransfers), [false, true]);
  for (const type of [TYPE.AXFR, TYPE.IXFR]) assert.ok(isForTransfers(new Uint8Array(queryBytes("bs.example.com", type))));
  const answer = Uint8Array.from(signed);
  answer[2] = 0x80;
  assert.equal(isForTransfers(answer), false, "an answer");
  const random = seededRandom(5);
  for (let run = 0; run < 20_000; run++) {
    const hostile = signed.slice(0, Math.floor(random.uniform() * (signed.length + 1)));
    for (let flips = 0; flips < 3; flips++)
      hostile[Math.floor(random.uniform() * hostile.length)] = Math.floor(random.uniform() * 256);
    assert.equal(typeof isForTransfers(hostile), "boolean");
  }
});
