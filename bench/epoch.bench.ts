import { fork } from "node:child_process";
import { once } from "node:events";
import { setTimeout as pause } from "node:timers/promises";
import { parseArgs } from "node:util";
import { NOW, startFleet } from "./balancer/fleet.ts";
import { cpuOf, figure } from "./balancer/slice-watch.ts";

const INSTANCES = 8;
/** The epoch of NOW ends 30 minutes on, and the next is published 5 minutes before. */
const NEXT_EPOCH = NOW + 25 * 60_000;

/**
 * What an epoch costs for 10^4, 10^5 and 10^6 pending devices, or `--devices N`: CPU to derive, allocate and publish,
 * the longest time at a stretch, in which nothing else ran, and the memory of the whole process. Each size has a
 * process of its own.
 */
export async function run(args: readonly string[]): Promise<Record<string, unknown>> {
  const { values } = parseArgs({ args: [...args], options: { devices: { type: "string" } } });
  const sizes = values.devices === undefined ? [10_000, 100_000, 1_000_000] : [Number(values.devices)];
  const results: Record<string, unknown> = {};
  for (const devices of sizes) {
    const child = fork(import.meta.filename, [String(devices)]);
    const [figures] = (await once(child, "message")) as [Figures];
    results[devices] = figures;
    console.error(
      `${String(devices).padStart(8)} devices: ${figures.cpuSeconds} s of CPU, longest stall ${figures.longestStallMs} ms,` +
        ` ${figures.rssMegabytes} MB RSS (start: ${figures.startCpuSeconds} s of CPU)`,
    );
  }
  return results;
}

interface Figures {
  /** Loading the fleet, allocating it, and the names of the first epoch. */
  readonly startCpuSeconds: number;
  readonly cpuSeconds: number;
  readonly longestStallMs: number;
  readonly rssMegabytes: number;
}

async function measure(devices: number): Promise<Figures> {
  const began = process.cpuUsage();
  const { balancer, clock, watch } = await startFleet(devices, INSTANCES);
  const { user, system } = process.cpuUsage(began);
  await balancer.idle();
  globalThis.gc?.();
  await pause(500); // the collector's threads sweep on for a while
  clock.set(NEXT_EPOCH);
  watch.start();
  const cpu = await cpuOf(async () => {
    balancer.tick();
    await balancer.idle();
  });
  watch.stop();
  const names = balancer.epochs.views().map((view) => view.names);
  if (names.join() !== `${devices},${devices}`) throw new Error(`names in DNS: ${names.join()}`);
  return {
    startCpuSeconds: figure((user + system) / 1e6),
    cpuSeconds: figure(cpu / 1000),
    longestStallMs: figure(watch.longestMs),
    rssMegabytes: Math.round(process.memoryUsage().rss / 1e6),
  };
}

if (process.send !== undefined) {
  process.send(await measure(Number(process.argv[2])));
  process.disconnect();
}
