import { type ChildProcess, fork, spawn, spawnSync } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ZoneTable } from "../src/dns/index.ts";
import { silentLogger } from "../src/lib/log.ts";
import { Nameserver } from "../src/nameserver/index.ts";
import { addressQuery, responseCode } from "./dns/query.ts";

const ZONE = "bs.example.com";
const NAMES = 1_000_000;
/** As in the field: now and then a device asks for a name that is not live any more. */
const MADE_UP_EVERY = 20;
/** Queries made beforehand, then asked round and round. */
const QUERIES = 100_000;
const IN_FLIGHT = 200;

/**
 * Answers per CPU-second of the whole nameserver over UDP, with 10^6 live names and 5 % made-up ones asked for. The
 * server is a process of its own, the load another: our own generator, and `dnsperf` where it is installed.
 * `--seconds N` per load (default 5).
 */
export async function run(args: readonly string[]): Promise<Record<string, unknown>> {
  const flag = args.indexOf("--seconds");
  const seconds = flag >= 0 ? Number(args[flag + 1]) : 5;
  const server = fork(import.meta.filename, ["server"]);
  const [port] = (await once(server, "message")) as [number];
  try {
    const own = await measure(server, seconds, () => ownLoad(port, seconds));
    print("own generator", own);
    if (spawnSync("dnsperf", ["-h"]).error !== undefined) {
      console.error("dnsperf is missing (apt-get install dnsperf): our own generator only");
      return { names: NAMES, own };
    }
    const dnsperf = await measure(server, seconds, () => dnsperfLoad(port, seconds));
    print("dnsperf", dnsperf);
    return { names: NAMES, own, dnsperf };
  } finally {
    server.disconnect();
  }
}

interface Figures {
  readonly answersPerCpuSecond: number;
  readonly cpuMicrosecondsPerAnswer: number;
  readonly answersPerSecond: number;
  readonly serverMegabytes: number;
}

interface Usage {
  readonly cpu: NodeJS.CpuUsage;
  readonly rss: number;
  readonly queries: number;
}

/** Runs a load and divides the answers the server gave by the CPU time it took, user and system, all threads. */
async function measure(server: ChildProcess, seconds: number, load: () => Promise<void>): Promise<Figures> {
  const before = await usage(server);
  await load();
  const after = await usage(server);
  const answers = after.queries - before.queries;
  const cpu = (after.cpu.user + after.cpu.system - before.cpu.user - before.cpu.system) / 1e6;
  return {
    answersPerCpuSecond: Math.round(answers / cpu),
    cpuMicrosecondsPerAnswer: (cpu * 1e6) / answers,
    answersPerSecond: Math.round(answers / seconds),
    serverMegabytes: Math.round(after.rss / 1e6),
  };
}

async function usage(server: ChildProcess): Promise<Usage> {
  server.send("usage");
  const [answer] = (await once(server, "message")) as [Usage];
  return answer;
}

function print(load: string, figures: Figures): void {
  console.error(
    `${load.padStart(13)}: ${figures.answersPerCpuSecond} answers per CPU-second` +
      ` (${figures.cpuMicrosecondsPerAnswer.toFixed(2)} us each), ${figures.answersPerSecond}/s seen, RSS ${figures.serverMegabytes} MB`,
  );
}

async function ownLoad(port: number, seconds: number): Promise<void> {
  const generator = fork(import.meta.filename, ["load", String(port), String(seconds)]);
  const [code] = (await once(generator, "exit")) as [number];
  if (code !== 0) throw new Error("the load generator failed");
}

async function dnsperfLoad(port: number, seconds: number): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "berth-bench-"));
  try {
    const lines = Array.from({ length: QUERIES }, (_, index) => `${host(nameAt(index))} A`);
    await writeFile(join(folder, "queries"), `${lines.join("\n")}\n`);
    const flags = ["-c", "8", "-q", String(IN_FLIGHT), "-e", "-l", String(seconds), "-d", join(folder, "queries")];
    const dnsperf = spawn("dnsperf", ["-s", "127.0.0.1", "-p", String(port), ...flags], { stdio: "ignore" });
    const [code] = (await once(dnsperf, "exit")) as [number];
    if (code !== 0) throw new Error(`dnsperf ended with ${code}`);
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** The server process: tells its port, then its usage whenever it is asked. */
async function serve(): Promise<void> {
  const table = new ZoneTable({ zone: ZONE, seed: new Uint8Array(16).fill(9) });
  for (let instance = 0; instance < 64; instance++) table.setInstance(instance, { ipv4: `127.0.1.${instance}` });
  const epoch = table.beginGeneration(1, NAMES);
  for (let index = 0; index < NAMES; index++) epoch.add(host(index), index % 64);
  table.publish(epoch);
  const nameservers = [{ host: `ns1.${ZONE}`, ipv4: "127.0.0.1" }];
  const server = await Nameserver.start({
    zone: { name: ZONE, nameservers, serial: 1, ttl: 30, negativeTtl: 30 },
    table,
    listen: [{ address: "127.0.0.1", port: 0 }],
    log: silentLogger,
  });
  process.on("message", () => {
    const answer: Usage = { cpu: process.cpuUsage(), rss: process.memoryUsage.rss(), queries: server.stats.queries };
    process.send?.(answer);
  });
  process.on("disconnect", () => process.exit(0));
  process.send?.(server.addresses[0]?.port);
}

/** The load process: keeps so many queries in flight, and checks what comes back. */
async function generate(port: number, seconds: number): Promise<void> {
  const queries = Array.from({ length: QUERIES }, (_, index) => query(index));
  const socket = createSocket({ type: "udp4", lookup: (name, _options, done) => done(null, name, 4), recvBufferSize: 4 << 20 });
  await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve));
  let next = 0;
  let [answers, wrong] = [0, 0];
  const send = (): void => {
    socket.send(queries[next] as Buffer, port, "127.0.0.1");
    next = (next + 1) % QUERIES;
  };
  socket.on("message", (answer) => {
    answers++;
    if (responseCode(answer) !== (answer.readUInt16BE(0) % MADE_UP_EVERY === 0 ? 3 : 0)) wrong++;
    send();
  });
  for (let index = 0; index < IN_FLIGHT; index++) send();
  let before = 0;
  const revive = setInterval(() => {
    // Whatever was lost is not asked again; only a load that has run dry is started anew.
    if (answers === before) for (let index = 0; index < IN_FLIGHT; index++) send();
    before = answers;
  }, 200);
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  clearInterval(revive);
  socket.close();
  if (answers === 0 || wrong > 0) throw new Error(`${wrong} of ${answers} answers were wrong`);
}

/** The number of the name that query `index` asks for: those past the live ones are made up. */
function nameAt(index: number): number {
  return index % MADE_UP_EVERY === 0 ? NAMES + index : Math.imul(index, 7919) % NAMES;
}

/** An A query; its id tells what the answer has to be. */
function query(index: number): Buffer {
  return addressQuery((index % MADE_UP_EVERY) + MADE_UP_EVERY * (index % 3000), host(nameAt(index)));
}

/** A host as long as those of the recipe berth-1: 16 characters of token. */
function host(index: number): string {
  return `bsabcdefgh${index.toString(32).padStart(8, "0")}.${ZONE}`;
}

if (process.argv[1] === import.meta.filename) {
  const [, , role, port, seconds] = process.argv;
  await (role === "server" ? serve() : generate(Number(port), Number(seconds)));
}
