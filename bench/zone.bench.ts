import { setImmediate as breathe, setTimeout as pause } from "node:timers/promises";
import { ZoneTable } from "../src/dns/index.ts";

const ZONE = "bs.example.com";
const INSTANCES = 64;
/** Names per slice. While the system hands out fresh memory a name may cost two page faults; 50 stay well below 5 ms. */
const SLICE = 50;
const LOOKUPS = 200_000;
const HOST_LENGTH = "bs".length + 16 + 1 + ZONE.length;
const DIGITS = "abcdefghijklmnopqrstuvwxyz234567";

/**
 * The zone table at 10^4 to 3*10^6 names: memory, building an epoch in slices while the epoch before it answers,
 * the longest slice, swapping the epochs, look-ups. `--names N` runs one size only.
 */
export async function run(args: readonly string[]): Promise<Record<string, unknown>> {
  const flag = args.indexOf("--names");
  const sizes = flag >= 0 ? [Number(args[flag + 1])] : [10_000, 100_000, 1_000_000, 3_000_000];
  await measure(100_000); // warms the compiler up: the first run would time it too
  const results: Record<string, unknown> = {};
  for (const names of sizes) {
    const figures = await measure(names);
    results[names] = figures;
    console.error(
      `${String(names).padStart(9)} names: ${figures.megabytes.toFixed(1)} MB, built in ${figures.buildSeconds.toFixed(2)} s` +
        ` (${Math.round(figures.namesPerSecond / 1000)} k/s), slices of ${SLICE}: p99 ${figures.p99SliceMs.toFixed(2)} ms,` +
        ` longest ${figures.longestSliceMs.toFixed(2)} ms; swap ${figures.swapMs.toFixed(3)} ms;` +
        ` look-up ${Math.round(figures.lookupNs)} ns, of a made-up name ${Math.round(figures.missNs)} ns`,
    );
  }
  return results;
}

interface Figures {
  readonly megabytes: number;
  readonly buildSeconds: number;
  readonly namesPerSecond: number;
  readonly p99SliceMs: number;
  readonly longestSliceMs: number;
  readonly swapMs: number;
  readonly lookupNs: number;
  readonly missNs: number;
}

async function measure(names: number): Promise<Figures> {
  const table = new ZoneTable({ zone: ZONE, seed: new Uint8Array(16).fill(7) });
  table.publish(table.beginGeneration(1, 0));
  // Twice: the arrays of a table before this one are given back after the first.
  for (let round = 0; round < 2; round++) {
    globalThis.gc?.();
    await pause(50);
  }
  const before = process.memoryUsage();
  const next = table.beginGeneration(2, names);
  const slices: number[] = [];
  let buildMs = 0;
  const hosts = Buffer.alloc(SLICE * HOST_LENGTH);
  for (let done = 0; done < names; done += SLICE) {
    const count = Math.min(SLICE, names - done);
    // As bytes, so that no garbage of this bench is collected in the time of the table.
    for (let index = 0; index < count; index++) hosts.write(host(done + index), index * HOST_LENGTH, "latin1");
    const { involuntaryContextSwitches } = process.resourceUsage();
    const stop = stopwatch();
    for (let index = 0; index < count; index++)
      next.addBytes(hosts, index * HOST_LENGTH, HOST_LENGTH, (done + index) % INSTANCES);
    const slice = stop();
    buildMs += slice;
    // A slice in which another program got the processor says nothing about the table.
    if (process.resourceUsage().involuntaryContextSwitches === involuntaryContextSwitches) slices.push(slice);
    await breathe();
  }
  const stop = stopwatch();
  table.publish(next);
  table.withdraw(1);
  const swapMs = stop();
  globalThis.gc?.();
  const megabytes = (process.memoryUsage().arrayBuffers - before.arrayBuffers) / 1e6;
  slices.sort((a, b) => a - b);
  return {
    megabytes,
    buildSeconds: buildMs / 1000,
    namesPerSecond: Math.round(names / (buildMs / 1000)),
    p99SliceMs: slices[Math.floor(slices.length * 0.99)] ?? 0,
    longestSliceMs: slices.at(-1) ?? 0,
    swapMs,
    lookupNs: lookup(table, (index) => host(Math.floor((index * names) / LOOKUPS)), names > 0),
    missNs: lookup(table, (index) => host(names + 1 + index), false),
  };
}

/** Nanoseconds of one look-up of a name in wire form, as the nameserver does it. */
function lookup(table: ZoneTable, hostAt: (index: number) => string, live: boolean): number {
  const wires = Array.from({ length: LOOKUPS }, (_, index) => {
    const label = hostAt(index).split(".")[0] ?? "";
    return Uint8Array.from([label.length, ...Buffer.from(label)]);
  });
  const stop = stopwatch();
  for (const wire of wires) {
    if (table.lookup(wire, wire.length) >= 0 !== live) throw new Error("a look-up found the wrong thing");
  }
  return (stop() * 1e6) / LOOKUPS;
}

/**
 * Measures milliseconds from here on. Wall time counts other programs too, CPU time the compiler's and collector's threads:
 * the work took no longer than the lesser of the two.
 */
function stopwatch(): () => number {
  const wall = performance.now();
  const cpu = process.cpuUsage();
  return () => {
    const { user, system } = process.cpuUsage(cpu);
    return Math.min(performance.now() - wall, (user + system) / 1000);
  };
}

/** The host with number `index`: as long as those of the recipe berth-1. */
function host(index: number): string {
  let token = "";
  let value = Math.imul(index + 1, 0x9e3779b1) >>> 0;
  let rest = index;
  for (let digit = 0; digit < 16; digit++) {
    value = (Math.imul(value, 1664525) + 1013904223) >>> 0;
    token += digit < 5 ? DIGITS[rest & 31] : DIGITS[value >>> 27];
    rest >>>= 5;
  }
  return `bs${token}.${ZONE}`;
}
