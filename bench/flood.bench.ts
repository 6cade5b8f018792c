import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { freePort } from "../test/support/loopback.ts";
import {
  ask,
  cpuSeconds,
  type FloodServer,
  isInstalled,
  PACKAGES,
  type Start,
  startBerth,
  startBind,
  startKnot,
  startLimited,
  startNsd,
} from "./flood/servers.ts";
import { address, host, INSTANCES, WATCHED, writeQueries, writeZone } from "./flood/zone.ts";

const SERVERS = {
  berth: { program: "node", start: startBerth },
  limited: { program: "node", start: startLimited },
  bind: { program: "named", start: startBind },
  knot: { program: "knotd", start: startKnot },
  nsd: { program: "nsd", start: startNsd },
} as const;
const [SERVER_CORE, LOAD_CORE] = [0, 1];
const QUERIES = 400_000;
const PROBES_PER_SECOND = 500;
const LIMITED_QUERIES = 25_000;
const LAG_SECONDS = 3;

/**
 * A flood of random labels, 95 % of the queries, on 10^6 live names, beside BIND, Knot and NSD with the same zone: answers per
 * second and per CPU-second of the server, how long the valid ones take alone, and how long a change takes to be seen.
 * The server has one core, the load the other. `limited` is Berth with its limits, which hold for this host too then.
 * `--seconds N` (5), `--names N` (10^6), `--server berth,limited,bind,knot,nsd`,
 * `--outstanding N` (100) queries that dnsperf waits for at once.
 */
export async function run(args: readonly string[]): Promise<Record<string, unknown>> {
  const flag = (name: string, otherwise: string): string =>
    args.includes(name) ? (args[args.indexOf(name) + 1] ?? "") : otherwise;
  if (!isInstalled("dnsperf")) throw new Error(`dnsperf is missing: apt-get install ${PACKAGES.dnsperf}`);
  const load = { seconds: Number(flag("--seconds", "5")), outstanding: Number(flag("--outstanding", "100")) };
  const names = Number(flag("--names", "1000000"));
  const wanted = flag("--server", Object.keys(SERVERS).join()).split(",");
  const folder = await mkdtemp(join(tmpdir(), "berth-flood-"));
  const results: Record<string, Figures> = {};
  try {
    const zoneFile = join(folder, "zone");
    const files = { flood: join(folder, "flood"), valid: join(folder, "valid") };
    await writeZone(zoneFile, names);
    await writeQueries(files.flood, QUERIES, 1, names);
    await writeQueries(files.valid, QUERIES / 4, 20, names);
    for (const [name, { program, start }] of Object.entries(SERVERS)) {
      if (!wanted.includes(name)) continue;
      if (program !== "node" && !isInstalled(program)) {
        console.error(`${name} is SKIPPED: apt-get install ${PACKAGES[program]}`);
        continue;
      }
      const own = join(folder, name);
      await mkdir(own);
      const options: Start = { folder: own, zoneFile, names, port: await freePort("127.0.0.1"), core: SERVER_CORE };
      const server = await start(options);
      try {
        await measure(server, files, { ...load, seconds: 1 }); // compilers and caches
        results[name] = await measure(server, files, load);
        print(server, results[name]);
      } finally {
        await server.stop();
      }
    }
  } finally {
    await rm(folder, { recursive: true });
  }
  return { names, ...load, ...results };
}

interface Load {
  readonly seconds: number;
  readonly outstanding: number;
}

interface Figures {
  readonly answersPerSecond: number;
  readonly answersPerCpuSecond: number;
  /** With those that got no answer. */
  readonly queriesPerCpuSecond: number;
  readonly lost: number;
  readonly validP50Ms: number;
  readonly validP99Ms: number;
  readonly validLost: number;
  readonly lagP50Ms?: number;
  readonly lagMaxMs?: number;
}

async function measure(
  server: FloodServer,
  files: { readonly flood: string; readonly valid: string },
  { seconds, outstanding }: Load,
): Promise<Figures> {
  const before = cpuSeconds(server.pid);
  const flags = ["-l", String(seconds), "-e"];
  // Where most gets no answer, the load does not wait for it.
  const pace = server.limited ? ["-q", "60000", "-Q", String(LIMITED_QUERIES)] : ["-q", String(outstanding)];
  const flood = dnsperf(server.port, [...flags, "-d", files.flood, "-c", "8", ...pace]);
  // From another network than the flood.
  const valid = dnsperf(server.port, [...flags, "-a", "127.0.9.1", "-d", files.valid, "-Q", String(PROBES_PER_SECOND), "-v"]);
  const [flooded, probed] = await Promise.all([flood, valid]);
  const cpu = cpuSeconds(server.pid) - before;
  // Apart: Knot walks its whole zone for each change, and would answer less meanwhile.
  const lags = server.limited ? [] : await underFlood(server, files.flood, outstanding);
  const [sent, answered] = [count(flooded, "sent"), count(flooded, "completed")];
  const took = [...probed.matchAll(/^> NOERROR \S+ \S+ ([\d.]+)$/gm)].map((match) => 1000 * Number(match[1]));
  const [p50, p99] = [quantile(took, 0.5), quantile(took, 0.99)];
  return {
    answersPerSecond: Math.round(answered / seconds),
    answersPerCpuSecond: Math.round((answered + took.length) / cpu),
    queriesPerCpuSecond: Math.round((sent + took.length) / cpu),
    lost: sent - answered,
    validP50Ms: p50,
    validP99Ms: p99,
    validLost: count(probed, "sent") - took.length,
    ...(lags.length === 0 ? {} : { lagP50Ms: quantile(lags, 0.5), lagMaxMs: quantile(lags, 1) }),
  };
}

/** How long changes take to be seen while the same flood lasts. */
async function underFlood(server: FloodServer, file: string, outstanding: number): Promise<number[]> {
  if (server.change === undefined) return [];
  const until = performance.now() + 1000 * LAG_SECONDS;
  const flood = dnsperf(server.port, ["-l", String(LAG_SECONDS), "-e", "-d", file, "-c", "8", "-q", String(outstanding)]);
  const lags = await watchChanges(server, server.change, until - 300);
  await flood;
  return lags;
}

/** Changes one name after the other, asks for it until it has changed, and gives the milliseconds that took. */
async function watchChanges(server: FloodServer, change: NonNullable<FloodServer["change"]>, until: number): Promise<number[]> {
  const lags: number[] = [];
  for (let index = 0; performance.now() < until; index = (index + 1) % WATCHED) {
    const instance = Math.floor(Math.random() * INSTANCES);
    const started = performance.now();
    await change(index, instance);
    while ((await ask(server.port, host(index)).catch(() => undefined)) !== address(instance)) {
      if (performance.now() > until) return lags;
    }
    lags.push(performance.now() - started);
    await pause(20);
  }
  return lags;
}

async function dnsperf(port: number, flags: readonly string[]): Promise<string> {
  const args = ["-c", String(LOAD_CORE), "dnsperf", "-s", "127.0.0.1", "-p", String(port), "-t", "1", ...flags];
  const child = spawn("taskset", args, { stdio: ["ignore", "pipe", "ignore"] });
  let output = "";
  child.stdout.on("data", (chunk: Buffer) => {
    output += chunk.toString("latin1");
  });
  const [code] = (await once(child, "close")) as [number];
  if (code !== 0) throw new Error(`dnsperf ended with ${code}`);
  return output;
}

function count(output: string, what: string): number {
  return Number(new RegExp(`Queries ${what}: +(\\d+)`).exec(output)?.[1] ?? Number.NaN);
}

function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
}

function print({ name, limited, change }: FloodServer, figures: Figures): void {
  const { lagP50Ms, lagMaxMs } = figures;
  const lag =
    lagP50Ms === undefined || lagMaxMs === undefined
      ? change === undefined
        ? "takes no updates"
        : "changes are not watched"
      : `a change is seen after ${lagP50Ms.toFixed(1)} ms (most: ${lagMaxMs.toFixed(1)})`;
  console.error(
    `${name.padStart(17)}: ${figures.answersPerSecond} answers/s, ` +
      (limited
        ? `${figures.queriesPerCpuSecond} queries held back or answered per CPU-second;`
        : `${figures.answersPerCpuSecond} per CPU-second, ${figures.lost} lost;`) +
      ` valid alone p50 ${figures.validP50Ms.toFixed(2)} ms, p99 ${figures.validP99Ms.toFixed(2)} ms, ${figures.validLost} lost; ${lag}`,
  );
}
