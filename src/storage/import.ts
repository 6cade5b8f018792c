import type { ImportRow } from "./read-devices.ts";
import type { DeviceRecord, ImportResult } from "./types.ts";

/** Devices of one transaction: large enough to be fast, small enough to show progress and to lose little. */
const BATCH = 1000;
/** 128 bits: what the cipher suites of LwM2M are worth, and what plain-hash recipes demand of a secret. */
const RECOMMENDED_PSK_BYTES = 16;

export interface ImportProblem {
  readonly line: number;
  readonly reason: string;
}

export interface ImportProgress {
  /** Bytes of the file that are done. */
  readonly bytes: number;
  readonly inserted: number;
  readonly updated: number;
  readonly rejected: number;
  /** Devices taken whose PSK has fewer than 16 bytes. */
  readonly weak: number;
}

export interface ImportSink {
  /** Stores a batch; `Devices.import` with a clock, or the balancer's control API. */
  store(batch: readonly DeviceRecord[]): Promise<ImportResult>;
  /** Called for each row that was not taken, in order of the batches. */
  onProblem(problem: ImportProblem): void;
  /** Called after each batch. */
  onProgress?(progress: ImportProgress): void;
}

/**
 * Stores the rows of `readDevices` batch by batch. What was stored before an error stays stored, and the import can
 * simply be run again.
 * @throws InvalidInput of a broken file, or what `store` throws
 */
export async function importDevices(rows: AsyncIterable<ImportRow>, sink: ImportSink): Promise<ImportProgress> {
  let progress: ImportProgress = { bytes: 0, inserted: 0, updated: 0, rejected: 0, weak: 0 };
  let batch: (ImportRow & { device: DeviceRecord })[] = [];
  let bytes = 0;
  let bad = 0;

  const flush = async (): Promise<void> => {
    const taken = batch;
    const unread = bad;
    if (taken.length + unread === 0) return;
    batch = [];
    bad = 0;
    const { inserted, updated, rejected } = await sink.store(taken.map(({ device }) => device));
    const lines = new Map(taken.map(({ device, line }) => [device.endpoint, line]));
    for (const { endpoint, reason } of rejected) sink.onProblem({ line: lines.get(endpoint) ?? 0, reason });
    progress = {
      bytes,
      inserted: progress.inserted + inserted,
      updated: progress.updated + updated,
      rejected: progress.rejected + rejected.length + unread,
      weak: progress.weak + taken.filter(({ device }) => device.psk.byteLength < RECOMMENDED_PSK_BYTES).length,
    };
    sink.onProgress?.(progress);
  };

  try {
    for await (const row of rows) {
      bytes = row.end;
      if ("error" in row) {
        bad++;
        sink.onProblem({ line: row.line, reason: row.error });
      } else {
        batch.push(row);
      }
      if (batch.length + bad >= BATCH) await flush();
    }
  } finally {
    // Also when the file turns out broken: the rows before are good. After a failed batch there is nothing left to store.
    await flush();
  }
  return progress;
}
