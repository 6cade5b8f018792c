import { errorText } from "../lib/errors.ts";
import type { Logger } from "../lib/log.ts";
import { lookAheadOf, type Recipe } from "../naming/index.ts";
import { type DeviceRow, nameSecretOf } from "../storage/index.ts";
import { ANYWHERE, type Siting } from "./allocation/index.ts";
import { atHome, NOWHERE, nextProgress, type Progress } from "./device.ts";
import { factsOf, type ImportOptions } from "./import.ts";

/** What loading works on. */
export interface LoadingOptions
  extends Pick<ImportOptions, "fleet" | "instances" | "publisher" | "epochs" | "registrar" | "allocation" | "storage"> {
  readonly recipe: Recipe;
  readonly log: Logger;
}

/** Reads the fleet as it was when the balancer ended. A device that cannot be named any more is there without names. @throws StorageError */
export async function loadDevices(parts: LoadingOptions): Promise<void> {
  for await (const rows of parts.storage.devices.all(2000)) for (const row of rows) load(parts, row);
}

function load(parts: LoadingOptions, row: DeviceRow): void {
  const { fleet, instances, publisher, epochs, registrar, recipe, log } = parts;
  const { state, session, commencedAt, completedAt, attempts, failures, counter } = row;
  const instance = row.instance === null ? undefined : instances.meet(row.instance);
  const home = instance?.index ?? NOWHERE;
  const failure = row.failure as Progress["failure"];
  // The recipe may look ahead less far than before.
  const skipped = Math.min(row.skipped, lookAheadOf(recipe));
  const progress: Progress = { state, home, session, commencedAt, completedAt, attempts, failures, failure, counter, skipped };
  const device = fleet.add(factsOf(row, sitingOf(parts, row)), state === "pending" ? atHome(progress, home) : progress);
  try {
    publisher.learn(device.row, publisher.keyFor(row.endpoint, nameSecretOf(row), epochs.wanted[0] ?? {}));
  } catch (error) {
    log.error({ endpoint: row.endpoint, error: errorText(error) }, "a device cannot be named by this recipe");
  }
  // Its instance was lost just before the balancer ended.
  if (instance?.alive !== true) registrar.change(device, nextProgress(progress, { kind: "instance-lost" }));
}

/** What says where it is to be served may have become another than when it was imported. */
function sitingOf({ allocation, log }: LoadingOptions, row: DeviceRow): Siting {
  try {
    return allocation.siter.siting(row);
  } catch (error) {
    log.error({ endpoint: row.endpoint, error: errorText(error) }, "a device may be served anywhere");
    return ANYWHERE;
  }
}
