import { createAuditLog } from "./audit-log.ts";
import type { Database } from "./database.ts";
import { createDevices } from "./devices.ts";
import { StorageError } from "./errors.ts";
import { createLeases } from "./leases.ts";
import { migrate } from "./migrations.ts";
import { openPglite } from "./pglite.ts";
import { openPostgres } from "./postgres.ts";
import { createInstances, createProfiles, createSettings } from "./records.ts";
import type { SecretBox } from "./secret-box.ts";
import type { OpenStorage, Settings, Storage } from "./types.ts";

/** Where the database is. `memory` is PGlite that forgets everything when it is closed. */
export type StorageOptions =
  | { readonly kind: "pglite"; readonly folder: string }
  | { readonly kind: "postgres"; readonly url: string }
  | { readonly kind: "memory" };

/** A setting that opens only with the key everything else was sealed with. */
const CHECK_SETTING = "berth:key-check";

/**
 * Opens the database, brings its schema up to date, and makes sure that `box` has the right key.
 * @throws StorageError `storage-locked`, `storage-unavailable`, `storage-newer`, `storage-key-wrong`, `storage-full` or `storage-failed`
 */
export async function openStorage(options: StorageOptions, box: SecretBox): Promise<OpenStorage> {
  const database = await openDatabase(options);
  try {
    await migrate(database);
    await checkKey(createSettings(database), box);
    return { ...storageOn(database, box), heldBy: (lease) => storageOn(database.heldBy(lease), box) };
  } catch (error) {
    await database.close();
    throw error;
  }
}

function storageOn(database: Database, box: SecretBox): Storage {
  return {
    devices: createDevices(database, box),
    profiles: createProfiles(database, box),
    instances: createInstances(database),
    settings: createSettings(database),
    audit: createAuditLog(database),
    leases: createLeases(database),
    close: () => database.close(),
  };
}

function openDatabase(options: StorageOptions): Promise<Database> {
  if (options.kind === "postgres") return openPostgres(options.url);
  return openPglite(options.kind === "pglite" ? options.folder : undefined);
}

async function checkKey(settings: Settings, box: SecretBox): Promise<void> {
  const known = await settings.get(CHECK_SETTING);
  if (known === undefined) {
    await settings.put(CHECK_SETTING, Buffer.from(box.seal(new Uint8Array(), CHECK_SETTING)).toString("base64"));
    return;
  }
  try {
    box.open(Buffer.from(String(known), "base64"), CHECK_SETTING);
  } catch (cause) {
    throw new StorageError("storage-key-wrong", "this is not the key the secrets in the database were sealed with", { cause });
  }
}
