import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { promisify } from "node:util";
import { VirtualClock } from "../../src/lib/clock.ts";
import type { Logger } from "../../src/lib/log.ts";
import { Nameserver, type NameserverLimits } from "../../src/nameserver/index.ts";
import { needs } from "../support/tools.ts";
import { liveTable, queryBytes, ZONE } from "./fixture.ts";

const DIG = needs("dig", "bind9-dnsutils");
const run = promisify(execFile);

interface Started {
  readonly server: Nameserver;
  readonly port: number;
  readonly clock: VirtualClock;
  /** Lines of its log. */
  readonly lines: readonly string[];
}

/** A server that has limits for this host too, under a clock that stands still. */
async function start(t: TestContext, limits: Partial<NameserverLimits>): Promise<Started> {
  const clock = new VirtualClock(1_700_000_000_000);
  const lines: string[] = [];
  const write = (fields: unknown, message: string): void => void lines.push(`${JSON.stringify(fields)} ${message}`);
  const log: Logger = { debug: write, info: write, warn: write, error: write };
  const server = await Nameserver.start({
    zone: ZONE,
    table: liveTable(),
    listen: [{ address: "127.0.0.1", port: 0 }],
    log,
    clock,
    limits: { exempt: [], ...limits },
  });
  t.after(() => server.close());
  return { server, port: server.addresses[0]?.port ?? 0, clock, lines };
}

async function dig(port: number, ...args: readonly string[]): Promise<string> {
  const flags = ["@127.0.0.1", "-p", String(port), "+norecurse", "+tries=1", "+time=1", ...args];
  const { stdout } = await run("dig", flags).catch((error: { stdout: string }) => error);
  return stdout;
}

/** Sends so many queries and gives the answers that came. */
async function flood(port: number, count: number, from = "127.0.0.1"): Promise<readonly Buffer[]> {
  const socket = createSocket("udp4");
  const answers: Buffer[] = [];
  socket.on("message", (answer) => answers.push(answer));
  await new Promise<void>((resolve) => socket.bind(0, from, resolve));
  for (let index = 0; index < count; index++) socket.send(queryBytes(`made-up-${index}.bs.example.com`, "A"), port, "127.0.0.1");
  for (let before = -1; before !== answers.length; await pause(100)) before = answers.length;
  socket.close();
  return answers;
}

test("R2: a flood from one network is answered as far as its limit goes, and the log names the network and no name", async (t) => {
  const { server, port, lines } = await start(t, { responses: 20 });
  const answers = await flood(port, 100);
  assert.deepEqual([answers.length, server.stats.slipped, server.stats.rateLimited], [60, 40, 40]);
  assert.equal((await flood(port, 20, "127.0.1.1")).length, 20);
  const warnings = lines.filter((line) => line.includes("held back"));
  assert.equal(warnings.length, 1);
  assert.match(warnings[0] ?? "", /127\.0\.0\.0\/24/);
  assert.doesNotMatch(lines.join("\n"), /made-up/);
});

test("R2: an honest resolver in the network of a flood comes back by TCP", { skip: DIG }, async (t) => {
  const { port } = await start(t, { responses: 20, slip: 1 });
  await flood(port, 100);
  const text = await dig(port, "+nocookie", "made-up.bs.example.com", "A");
  assert.match(text, /Truncated, retrying in TCP mode/);
  assert.match(text, /status: NXDOMAIN/);
  assert.match(await dig(port, "+nocookie", "+ignore", "made-up.bs.example.com", "A"), /flags: qr aa tc;/);
});

test("RFC 7873: dig gets a cookie and finds it good; over the limit it gets BADCOOKIE, and comes back with it", {
  skip: DIG,
}, async (t) => {
  const { port, server } = await start(t, { responses: 20, slip: 1 });
  const first = await dig(port, "+cookie", "four.bs.example.com", "A");
  const [, cookie = ""] = /COOKIE: ([0-9a-f]{48}) \(good\)/.exec(first) ?? [];
  assert.equal(cookie.length, 48, first);
  assert.match(await dig(port, `+cookie=${cookie}`, "four.bs.example.com", "A"), /status: NOERROR/);
  assert.equal(server.stats.badCookies, 0);
  await flood(port, 100);
  assert.match(await dig(port, "+cookie", "+nobadcookie", "made-up.bs.example.com", "A"), /status: BADCOOKIE/);
  const again = await dig(port, "+cookie", "+badcookie", "made-up.bs.example.com", "A");
  assert.match(again, /BADCOOKIE, retrying/);
  assert.match(again, /status: NXDOMAIN/);
  assert.match(await dig(port, "+cookie=0102030405060708090a", "four.bs.example.com", "A"), /status: FORMERR/);
  assert.match(await dig(port, "+cookie", "+header-only", "four.bs.example.com", "A"), /status: NOERROR[\s\S]*\(good\)/);
});

test("RFC 7828: dig is told over TCP how long a connection may be idle", { skip: DIG }, async (t) => {
  const { port } = await start(t, { idle: 7000 });
  assert.match(await dig(port, "+tcp", "+keepalive", "four.bs.example.com", "A"), /TCP[- ]KEEPALIVE: 7\.0 secs/i);
  assert.doesNotMatch(await dig(port, "+notcp", "+keepalive", "four.bs.example.com", "A"), /KEEPALIVE: 7/i);
});

test("R1: software and version are nobody's business", { skip: DIG }, async (t) => {
  const { port } = await start(t, {});
  for (const name of ["version.bind", "version.server", "hostname.bind", "id.server"]) {
    assert.match(await dig(port, "-c", "CH", name, "TXT"), /status: REFUSED/);
  }
});

/** A TCP connection of a client at an address of this host. */
function connectFrom(t: TestContext, port: number, localAddress = "127.0.0.1"): Socket {
  const socket = connect({ port, host: "127.0.0.1", localAddress });
  socket.on("error", () => {});
  t.after(() => socket.destroy());
  return socket;
}

function framed(message: Uint8Array): Buffer {
  return Buffer.concat([Uint8Array.of(message.length >> 8, message.length & 0xff), message]);
}

const FOUR = framed(queryBytes("four.bs.example.com", "A"));

async function answered(socket: Socket): Promise<void> {
  socket.write(FOUR);
  await once(socket, "data", { signal: AbortSignal.timeout(5000) });
}

test("RFC 9210 6: one network cannot take all the connections; its next one is closed at once, others are served", async (t) => {
  const { port, server } = await start(t, { connections: 6, connectionsPerNetwork: 3 });
  const own = [1, 2, 3].map(() => connectFrom(t, port));
  for (const socket of own) await answered(socket);
  const fourth = connectFrom(t, port);
  await once(fourth, "close");
  assert.equal(server.stats.tcpRefused, 1);
  await answered(connectFrom(t, port, "127.0.1.1"));
  for (const socket of own) await answered(socket);
  // One that ends makes room for one more.
  own[0]?.destroy();
  await pause(50);
  await answered(connectFrom(t, port));
});

test("RFC 7766 6.2.2: connections that ask nothing make room for those that do, however many come", async (t) => {
  const { port, server } = await start(t, { connections: 20, connectionsPerNetwork: 20 });
  for (let index = 0; index < 100; index++) connectFrom(t, port, `127.0.${1 + (index % 10)}.1`);
  await pause(300);
  await answered(connectFrom(t, port, "127.0.99.1"));
  assert.ok(server.stats.tcpRefused >= 80);
});

test("RFC 7766 6.2.1.1: who sends thousands of queries at once does not keep others waiting", async (t) => {
  const { port } = await start(t, {});
  const greedy = connectFrom(t, port);
  let bytes = 0;
  greedy.on("data", (chunk) => {
    bytes += chunk.length;
  });
  const batch = Buffer.concat(new Array<Buffer>(20_000).fill(FOUR));
  greedy.write(batch);
  await pause(5);
  const other = connectFrom(t, port, "127.0.1.1");
  await answered(other);
  const before = bytes;
  const whole = 20_000 * (FOUR.length + 16);
  for (let tries = 0; bytes < whole && tries < 500; tries++) await pause(10);
  assert.equal(bytes, whole);
  assert.ok(before < whole, "the other was answered only when all was done");
});

test("R2: a limit that cannot be is refused at start", async () => {
  const listen = [{ address: "127.0.0.1", port: 0 }];
  const log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
  const options = { zone: ZONE, table: liveTable(), listen, log, limits: { exempt: ["10.0.0.0/99"] } };
  await assert.rejects(Nameserver.start(options), { code: "invalid-input" });
});
