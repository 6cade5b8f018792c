import type { Storage } from "../storage/index.ts";
import type { Audit, AuditNote } from "./audit.ts";
import type { Fleet } from "./fleet.ts";
import type { Registrar } from "./registrar.ts";
import { NAME_WORK, Slices } from "./slices.ts";

/** What a removal works on. */
export interface RemovalOptions {
  readonly fleet: Fleet;
  readonly registrar: Registrar;
  readonly audit: Audit;
  readonly storage: Storage;
  readonly breathe: () => Promise<void>;
}

/** Forgets devices, in one transaction. Returns how many of them were known. @throws StorageError */
export async function removeDevices(
  { fleet, registrar, audit, storage, breathe }: RemovalOptions,
  endpoints: readonly string[],
  why: Pick<AuditNote, "trigger" | "reason">,
): Promise<number> {
  const known = new Set(endpoints.flatMap((endpoint) => fleet.byEndpoint(endpoint) ?? []));
  const [first] = known;
  if (first === undefined) return 0;
  await storage.devices.remove([...known].map(({ endpoint }) => endpoint));
  const slices = new Slices(breathe);
  for (const device of known) {
    if (slices.spend(NAME_WORK)) await slices.rest();
    registrar.forget(device);
  }
  audit.note({ kind: "removal", ...why, subject: known.size === 1 ? first.endpoint : null, counts: { removed: known.size } });
  return known.size;
}
