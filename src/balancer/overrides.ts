import { z } from "zod";
import { parseWith } from "../lib/schema.ts";
import type { Storage } from "../storage/index.ts";
import type { Override } from "./instances.ts";

/** The setting they are stored under. */
const KEY = "instance-overrides";

const OverridesSchema: z.ZodType<Readonly<Record<string, Override>>> = z.record(
  z.string(),
  z.object({ weight: z.number().optional(), draining: z.boolean() }),
);

/** What operators have set, by id of the instance. @throws StorageError, InvalidInput if something else was stored */
export async function loadOverrides(settings: Storage["settings"]): Promise<readonly (readonly [string, Override])[]> {
  return Object.entries(parseWith(OverridesSchema, (await settings.get(KEY)) ?? {}, KEY));
}

/** Stores all overrides; those that say nothing are left out. @throws StorageError */
export async function storeOverrides(
  settings: Storage["settings"],
  overrides: readonly (readonly [string, Override])[],
): Promise<void> {
  const set = overrides.filter(([, { weight, draining }]) => draining || weight !== undefined);
  await settings.put(KEY, Object.fromEntries(set));
}
