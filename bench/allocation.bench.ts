import { parseArgs } from "node:util";
import { type BenchFleet, instanceId, startFleet } from "./balancer/fleet.ts";
import { cpuOf, figure } from "./balancer/slice-watch.ts";

/**
 * Even allocation of `--names N` (default: 10^4, 10^5 and 10^6 in turn) to `--instances N` (default 8): how even it is, how many names move when
 * one instance leaves and when it joins again, as a share of all names (ideal: 1/instances each), and what the leave
 * costs: CPU from the word that it leaves to the last name in DNS, and the longest time at a stretch.
 */
export async function run(args: readonly string[]): Promise<Record<string, unknown>> {
  const options = { names: { type: "string" }, instances: { type: "string", default: "8" } } as const;
  const { values } = parseArgs({ args: [...args], options });
  const instances = Number(values.instances);
  await measure(10_000, 3); // warms the compiler up
  if (values.names !== undefined) return allocate(Number(values.names), instances);
  const figures: Record<string, unknown> = {};
  for (const names of [10_000, 100_000, 1_000_000]) figures[names] = await allocate(names, instances);
  return figures;
}

async function allocate(names: number, instances: number): Promise<Record<string, unknown>> {
  const even = await measure(names, instances);
  console.error(
    `${names} names, ${instances} instances: max/mean ${even.maxOverMean}; one leaves: ${even.movedOnLeave} move, in ${even.ms} ms of CPU,` +
      ` at most ${even.longestStallMs} ms at a stretch; it joins again: ${even.movedOnJoin} move`,
  );
  return { names, instances, ideal: 1 / instances, even };
}

interface Figures {
  /** Of the fullest instance, after the allocation, the leave and the join; the largest of the three. */
  readonly maxOverMean: number;
  readonly movedOnLeave: number;
  readonly movedOnJoin: number;
  readonly ms: number;
  readonly longestStallMs: number;
}

async function measure(names: number, instances: number): Promise<Figures> {
  const fleet = await startFleet(names, instances);
  const { api, watch, balancer } = fleet;
  const params = { id: instanceId(0) };
  const first = maxOverMean(fleet);
  const before = homes(fleet);
  watch.start();
  const ms = await cpuOf(async () => api.leave({ params, query: {}, body: undefined }));
  watch.stop();
  const longestStallMs = figure(watch.longestMs);
  const second = maxOverMean(fleet);
  const between = homes(fleet);
  await api.registerInstance({ params, query: {}, body: { boot: "b", addresses: { ipv4: "127.0.0.11" } } });
  await balancer.idle();
  return {
    maxOverMean: Math.max(first, second, maxOverMean(fleet)),
    movedOnLeave: moved(before, between) / names,
    movedOnJoin: moved(between, homes(fleet)) / names,
    ms: figure(ms),
    longestStallMs,
  };
}

function maxOverMean({ balancer }: BenchFleet): number {
  const loads = balancer.instances.serving().map((index) => balancer.fleet.countsOf(index).pending);
  const mean = loads.reduce((sum, load) => sum + load, 0) / loads.length;
  return Math.max(...loads) / mean;
}

function homes({ balancer }: BenchFleet): Int32Array {
  return Int32Array.from(balancer.fleet.rows, (device) => device?.progress.home ?? -1);
}

function moved(before: Int32Array, after: Int32Array): number {
  return before.reduce((count, home, row) => count + (home === after[row] ? 0 : 1), 0);
}
