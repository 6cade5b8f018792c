import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type DeviceRecord,
  openStorage,
  type ProgressChange,
  readDevices,
  SecretBox,
  type Storage,
} from "../src/storage/index.ts";

const BATCH = 1000;
const NOW = 1_767_225_600_000;
const box = new SecretBox(new Uint8Array(32).fill(7));

/** The text of a fleet's CSV file, a thousand rows at a time. */
async function* csv(count: number): AsyncGenerator<Buffer> {
  yield Buffer.from("endpoint,psk,group,site\n");
  for (let start = 0; start < count; start += BATCH) {
    const rows = Array.from({ length: Math.min(BATCH, count - start) }, (_, index) => {
      const number = start + index;
      return `${endpointOf(number)},${number.toString(16).padStart(32, "0")},group-${number % 10},site-${number % 1000}\n`;
    });
    yield Buffer.from(rows.join(""));
  }
}

function endpointOf(number: number): string {
  return `urn:dev:os:berth-${String(number).padStart(8, "0")}`;
}

/** Processor time of both threads in microseconds; the machine may be busy with other things. */
async function cpuOf(work: () => Promise<unknown>): Promise<number> {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return user + system;
}

async function importAll(storage: Storage, count: number): Promise<void> {
  let batch: DeviceRecord[] = [];
  let inserted = 0;
  for await (const row of readDevices(csv(count), "csv")) {
    if ("device" in row) batch.push({ profile: "default", ...row.device });
    if (batch.length < BATCH) continue;
    inserted += (await storage.devices.import(batch, NOW)).inserted;
    batch = [];
  }
  inserted += (await storage.devices.import(batch, NOW)).inserted;
  if (inserted !== count) throw new Error(`${inserted} of ${count} rows`);
}

/** @param ended how many bootstraps of each device go into its history with it */
async function saveAll(storage: Storage, count: number, ended = 0): Promise<void> {
  const past = { at: NOW, instance: "bs-1", name: "0123456789ab", duration: 500, outcome: "completed" } as const;
  for (let start = 0; start < count; start += BATCH) {
    // Spread over the table, as devices that come in at random are.
    const changes = Array.from({ length: Math.min(BATCH, count - start) }, (_, index): ProgressChange => {
      const endpoint = endpointOf(((start + index) * 7919) % count);
      const times = { commencedAt: NOW, completedAt: null, updatedAt: NOW };
      return {
        endpoint,
        state: "commenced",
        failure: null,
        instance: "bs-1",
        session: "s",
        ...times,
        attempts: 1,
        failures: 0,
        counter: 0,
        skipped: 0,
        ended: Array.from({ length: ended }, () => past),
      };
    });
    await storage.devices.saveProgress(changes, [{ instance: "bs-1", bootId: "x", sequence: start, updatedAt: NOW }]);
  }
}

async function measure(count: number): Promise<Record<string, number>> {
  const folder = mkdtempSync(join(tmpdir(), "berth-bench-"));
  const options = { kind: "pglite", folder } as const;
  let storage: Storage | undefined;
  const rate = (micros: number): number => Math.round(count / (micros / 1e6));
  try {
    const createMs = (await cpuOf(async () => (storage = await openStorage(options, box)))) / 1000;
    if (storage === undefined) throw new Error("not open");
    const parsing = await cpuOf(async () => {
      for await (const row of readDevices(csv(count), "csv")) if ("error" in row) throw new Error(row.error);
    });
    const importing = await cpuOf(() => importAll(storage as Storage, count));
    const saving = await cpuOf(() => saveAll(storage as Storage, count));
    await saveAll(storage, count, 8);
    const ending = await cpuOf(() => saveAll(storage as Storage, count, 1));
    await storage.close();
    const openMs = (await cpuOf(async () => (storage = await openStorage(options, box)))) / 1000;
    const loading = await cpuOf(async () => {
      let rows = 0;
      for await (const batch of (storage as Storage).devices.all()) rows += batch.length;
      if (rows !== count) throw new Error(`${rows} of ${count} rows`);
    });
    globalThis.gc?.();
    const figures = {
      createCpuMs: Math.round(createMs),
      openCpuMs: Math.round(openMs),
      parseRowsPerCpuSecond: rate(parsing),
      importRowsPerCpuSecond: rate(importing),
      saveProgressRowsPerCpuSecond: rate(saving),
      // With a bootstrap that is over, into a history that is full.
      saveEndedRowsPerCpuSecond: rate(ending),
      loadRowsPerCpuSecond: rate(loading),
      rssMegabytes: Math.round(process.memoryUsage().rss / 1e6),
    };
    console.error(`${count} devices: ${JSON.stringify(figures)}`);
    return figures;
  } finally {
    await storage?.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Import, progress and load of whole fleets on PGlite. Sizes as arguments; 10^4 and 10^5 without. */
export async function run(args: readonly string[]): Promise<Record<string, unknown>> {
  const figures: Record<string, unknown> = {};
  for (const size of args.length > 0 ? args : ["10000", "100000"]) figures[size] = await measure(Number(size));
  return figures;
}
