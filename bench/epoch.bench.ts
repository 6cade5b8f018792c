import { fork } from "node:child_process";
import { once } from "node:events";
import { setTimeout as pause } from "node:timers/promises";
import { parseArgs } from "node:util";
import { silentLogger } from "../src/lib/log.ts";
import { Nameserver } from "../src/nameserver/index.ts";
import { type Answers, DnsLoad } from "./balancer/dns-load.ts";
import { type EpochCost, type Estimate, estimate } from "./balancer/estimate.ts";
import { type BenchFleet, endpointOf, NOW, startFleet, ZONE } from "./balancer/fleet.ts";
import { cpuOf, figure } from "./balancer/slice-watch.ts";

const INSTANCES = 8;
/** The epoch of NOW ends 30 minutes on, and the next is published 5 minutes before. */
const NEXT_EPOCH = NOW + 25 * 60_000;
const LEAD_SECONDS = 5 * 60;
const SIZES = [10_000, 100_000, 300_000, 1_000_000];
/** What is far below a million tells of fixed costs rather than of how they grow. */
const CURVE_FROM = 100_000;
const FAR = 10_000_000;
/** So many devices' live names are asked for. */
const ASKED = 2000;
const AT_REST = 2000;

/**
 * What an epoch costs for 10^4 to 10^6 pending devices, or `--devices N`: CPU to derive, allocate and publish, the
 * longest time at a stretch, in which nothing else ran, the memory of the whole process, and how long DNS answers take
 * before and meanwhile. Each size has a process of its own: balancer and nameserver, as `berth balancer` runs them.
 * The CPU is that of the process, with the answers it gives (2000 a second). What 10^7 would cost is an estimate from
 * the sizes from 10^5 on.
 */
export async function run(args: readonly string[]): Promise<Record<string, unknown>> {
  const { values } = parseArgs({ args: [...args], options: { devices: { type: "string" } } });
  const results: Record<string, unknown> = {};
  const curve: EpochCost[] = [];
  for (const devices of values.devices === undefined ? SIZES : [Number(values.devices)]) {
    const child = fork(import.meta.filename, [String(devices)]);
    const [figures] = (await once(child, "message")) as [Figures];
    results[devices] = figures;
    if (devices >= CURVE_FROM) curve.push({ devices, ...figures });
    print(devices, figures);
  }
  if (curve.length < 2) return results;
  const far = estimate(curve, FAR, LEAD_SECONDS);
  printEstimate(far);
  return { ...results, estimate: far };
}

interface Figures {
  /** Loading the fleet, allocating it, and the names of the first epoch. */
  readonly startCpuSeconds: number;
  readonly cpuSeconds: number;
  readonly longestStallMs: number;
  readonly rssMegabytes: number;
  readonly heapMegabytes: number;
  readonly dnsAtRest: Answers;
  readonly dnsMeanwhile: Answers;
}

function print(devices: number, { dnsAtRest, dnsMeanwhile, ...figures }: Figures): void {
  const answers = ({ asked, lost, p50, p99, max }: Answers): string =>
    `p50 ${p50} ms, p99 ${p99} ms, max ${max} ms, ${lost} of ${asked} lost`;
  console.error(
    `${String(devices).padStart(8)} devices: ${figures.cpuSeconds} s of CPU, longest stall ${figures.longestStallMs} ms,` +
      ` ${figures.rssMegabytes} MB RSS (start: ${figures.startCpuSeconds} s of CPU)\n` +
      `          DNS at rest:   ${answers(dnsAtRest)}\n          DNS meanwhile: ${answers(dnsMeanwhile)}`,
  );
}

function printEstimate({ devices, cpuSeconds, rssMegabytes, heapMegabytes, limits }: Estimate): void {
  const met = limits.map((each) => `          ${each.limit}: met at about ${(each.devices / 1e6).toFixed(1)} million devices`);
  console.error(
    `${devices} devices, an ESTIMATE on the line through what was measured: ${cpuSeconds} s of CPU, ${rssMegabytes} MB RSS,` +
      ` ${heapMegabytes} MB of it heap\n${met.join("\n")}`,
  );
}

async function measure(devices: number): Promise<Figures> {
  const began = process.cpuUsage();
  const fleet = await startFleet(devices, INSTANCES);
  const { balancer, clock, watch } = fleet;
  const { user, system } = process.cpuUsage(began);
  await balancer.idle();
  const { nameserver, load } = await serveDns(fleet);
  globalThis.gc?.();
  await pause(500); // the collector's threads sweep on for a while
  const dnsAtRest = await load.during(() => pause(AT_REST));
  clock.set(NEXT_EPOCH);
  let cpu = 0;
  const dnsMeanwhile = await load.during(async () => {
    watch.start();
    cpu = await cpuOf(async () => {
      balancer.tick();
      await balancer.idle();
    });
    watch.stop();
  });
  const { rss, heapUsed } = process.memoryUsage();
  load.stop();
  await nameserver.close();
  const names = balancer.epochs.views().map((view) => view.names);
  if (names.join() !== `${devices},${devices}`) throw new Error(`names in DNS: ${names.join()}`);
  return {
    startCpuSeconds: figure((user + system) / 1e6),
    cpuSeconds: figure(cpu / 1000),
    longestStallMs: figure(watch.longestMs),
    rssMegabytes: Math.round(rss / 1e6),
    heapMegabytes: Math.round(heapUsed / 1e6),
    dnsAtRest,
    dnsMeanwhile,
  };
}

/** The nameserver, in this process, and another process that asks it. */
async function serveDns({ balancer, table }: BenchFleet): Promise<{ nameserver: Nameserver; load: DnsLoad }> {
  const nameservers = [{ host: `ns1.${ZONE}`, ipv4: "127.0.0.1" }];
  const nameserver = await Nameserver.start({
    zone: { name: ZONE, nameservers, serial: 1, ttl: 30, negativeTtl: 30 },
    table,
    listen: [{ address: "127.0.0.1", port: 0 }],
    log: silentLogger,
  });
  const stride = Math.max(1, Math.floor(balancer.fleet.counts.pending / ASKED));
  const live = Array.from({ length: ASKED }, (_, index) => balancer.fleet.byEndpoint(endpointOf(index * stride))).flatMap(
    (device) => (device === undefined ? [] : balancer.publisher.names(device).slice(0, 1)),
  );
  const madeUp = live.map((_, index) => `bs${index.toString(36).padStart(16, "x")}.${ZONE}`);
  const load = new DnsLoad();
  await load.prepare(nameserver.addresses[0]?.port ?? 0, live, madeUp);
  return { nameserver, load };
}

if (process.send !== undefined) {
  process.send(await measure(Number(process.argv[2])));
  process.disconnect();
}
