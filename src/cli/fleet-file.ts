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
    const { endpoint, mode, identity, psk, secret } = row.device;
    // The file has public keys at most; what the device signs with never leaves the device.
    if (mode === "x509" || mode === "rpk")
      throw new InvalidInput(`${file}:${row.line}: a device of mode ${mode} cannot be played`);
    devices.push({
      endpoint,
      identity,
      ...(psk === undefined ? {} : { psk }),
      ...(secret === undefined ? {} : { secret }),
    });
    if (devices.length >= limit) break;
  }
  return devices;
}
