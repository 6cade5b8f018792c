import { getHeapStatistics } from "node:v8";

/** What an epoch takes for so many devices. */
export interface EpochCost {
  readonly devices: number;
  readonly cpuSeconds: number;
  readonly rssMegabytes: number;
  /** What of the memory is on V8's heap. */
  readonly heapMegabytes: number;
}

/** What was not measured but reckoned from what was. */
export interface Estimate {
  readonly devices: number;
  readonly cpuSeconds: number;
  readonly rssMegabytes: number;
  readonly heapMegabytes: number;
  /** With how many devices each limit is met, in round numbers, the lowest first. */
  readonly limits: readonly { readonly limit: string; readonly devices: number }[];
}

/** A Map takes so many entries in V8 and then throws; the fleet finds devices by endpoint in one. */
const MAP_ENTRIES = 2 ** 24;

/**
 * What an epoch would cost for more devices than were measured: each cost on the straight line that fits the curve best.
 * @param lead how long before its epoch names are published: by then they have to be there, s
 */
export function estimate(curve: readonly EpochCost[], devices: number, lead: number): Estimate {
  const cpu = lineThrough(curve, ({ cpuSeconds }) => cpuSeconds);
  const rss = lineThrough(curve, ({ rssMegabytes }) => rssMegabytes);
  const heap = lineThrough(curve, ({ heapMegabytes }) => heapMegabytes);
  const heapLimit = getHeapStatistics().heap_size_limit / 1e6;
  const limits = [
    { limit: `node's default heap of ${Math.round(heapLimit)} MB (--max-old-space-size)`, met: heap.reaches(heapLimit) },
    { limit: "entries of a Map", met: MAP_ENTRIES },
    { limit: `a lead of ${lead} s, on one core`, met: cpu.reaches(lead) },
  ];
  return {
    devices,
    cpuSeconds: Math.round(cpu.at(devices) * 10) / 10,
    rssMegabytes: Math.round(rss.at(devices)),
    heapMegabytes: Math.round(heap.at(devices)),
    limits: limits.sort((a, b) => a.met - b.met).map(({ limit, met }) => ({ limit, devices: Number(met.toPrecision(3)) })),
  };
}

/** The line of least squares. */
function lineThrough(
  curve: readonly EpochCost[],
  cost: (point: EpochCost) => number,
): { at(devices: number): number; reaches(limit: number): number } {
  const mean = (of: (point: EpochCost) => number): number => curve.reduce((sum, point) => sum + of(point), 0) / curve.length;
  const [x, y] = [mean(({ devices }) => devices), mean(cost)];
  const slope = mean((point) => (point.devices - x) * (cost(point) - y)) / mean(({ devices }) => (devices - x) ** 2);
  return { at: (devices) => y + slope * (devices - x), reaches: (limit) => x + (limit - y) / slope };
}
