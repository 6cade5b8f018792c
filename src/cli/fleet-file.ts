import { createReadStream } from "node:fs";
import type { FleetDevice } from "../device/index.ts";
import { InvalidInput } from "../lib/errors.ts";
import { type ImportFormat, readDevices } from "../storage/index.ts";
import { checkReadable } from "./config.ts";

/** Reads the devices of a file, as `berth import` would; at most `limit`. @throws InvalidInput at the first bad row */
export async function readFleet(file: string, limit: number = Number.POSITIVE_INFINITY): Promise<FleetDevice[]> {
  const format: ImportFormat = /\.(ndjson|jsonl)$/i.test(file) ? "ndjson" : "csv";
  const devices: FleetDevice[] = [];
  checkReadable(file);
  for await (const row of readDevices(createReadStream(file), format)) {
    if ("error" in row) throw new InvalidInput(`${file}:${row.line}: ${row.error}`);
    const { endpoint, identity, psk, secret } = row.device;
    devices.push({ endpoint, identity, psk, ...(secret === undefined ? {} : { secret }) });
    if (devices.length >= limit) break;
  }
  return devices;
}
