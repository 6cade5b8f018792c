import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type DeviceRecord, type ProgressChange, SecretBox } from "../../src/storage/index.ts";

export const KEY: Uint8Array = new Uint8Array(32).fill(7);
export const box: SecretBox = new SecretBox(KEY);
/** A made-up instant; tests have no clock. */
export const NOW = 1_767_225_600_000;

export function endpointOf(number: number): string {
  return `urn:dev:os:berth-${String(number).padStart(4, "0")}`;
}

/** Device `number`, with the fields that matter to a test replaced. */
export function device(number: number, fields: Partial<DeviceRecord> = {}): DeviceRecord {
  const endpoint = endpointOf(number);
  const psk = Uint8Array.from({ length: 16 }, (_, index) => (number + index) & 255);
  return { endpoint, mode: "psk", identity: endpoint, profile: "default", group: null, psk, attributes: {}, ...fields };
}

export function devices(count: number): DeviceRecord[] {
  return Array.from({ length: count }, (_, index) => device(index));
}

export function progress(number: number, fields: Partial<ProgressChange> = {}): ProgressChange {
  return {
    endpoint: endpointOf(number),
    state: "commenced",
    failure: null,
    instance: "bs-1",
    session: "s-1",
    commencedAt: NOW,
    completedAt: null,
    attempts: 1,
    failures: 0,
    counter: 0,
    skipped: 0,
    updatedAt: NOW,
    ...fields,
  };
}

/** A new folder in the system's temporary folder, and its removal. */
export function temporaryFolder(): { readonly path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), "berth-storage-"));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** The text of a file, cut into chunks of `size` bytes. */
export async function* chunks(text: string | Uint8Array, size = 7): AsyncGenerator<Buffer> {
  const bytes = Buffer.from(text);
  for (let start = 0; start < bytes.byteLength; start += size) yield bytes.subarray(start, start + size);
}

export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}
