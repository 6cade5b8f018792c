import { z } from "zod";
import { FAILURE_CAUSES, type FailureCause } from "./notification.ts";
import { type SecurityMode, SecurityModeSchema } from "./security-mode.ts";

/** A device as an operator gives it; `docs/import.md` says which fields belong to which mode. */
export interface DeviceInput {
  readonly endpoint: string;
  /** If absent `psk` where a psk is given, and `rpk` where a public key is; else it has to be said. */
  readonly mode?: SecurityMode | undefined;
  /** PSK identity; the endpoint client name if absent. */
  readonly identity?: string | undefined;
  /** Pre-shared key, hex, 16 to 64 bytes. */
  readonly psk?: string | undefined;
  /** Raw public key: SubjectPublicKeyInfo, in hex or PEM. */
  readonly publicKey?: string | undefined;
  /** The secret names are made of, hex; if absent the PSK or the raw public key. A certificate or `nosec` needs one. */
  readonly secret?: string | undefined;
  /** Bootstrap profile; if absent the one called like the endpoint, or else `default`. */
  readonly profile?: string | undefined;
  readonly group?: string | undefined;
  readonly attributes?: Readonly<Record<string, string>> | undefined;
}

export type DeviceState = "pending" | "commenced" | "completed";
export const DEVICE_STATES: readonly [DeviceState, ...DeviceState[]] = ["pending", "commenced", "completed"];

/** One bootstrap session of a device that is over. */
export interface PastBootstrap {
  /** When it commenced, by the balancer's clock, ms. */
  readonly at: number;
  readonly instance: string | null;
  /** The first 12 hex characters of the SHA-256 of the device's host name of that time; null if it had none. */
  readonly name: string | null;
  /** How long it took, ms. */
  readonly duration: number;
  readonly outcome: "completed" | FailureCause;
}

/** What the balancer tells of a device: never its secrets, and its live names only when asked for. */
export interface DeviceView {
  readonly endpoint: string;
  readonly mode: SecurityMode;
  readonly state: DeviceState;
  /** The instance it is allocated to; after completion the one that served it. */
  readonly instance: string | null;
  readonly profile: string;
  readonly group: string | null;
  /** When it completed, ms; null if it never did, or has commenced again since. */
  readonly completedAt: number | null;
  /** Failed sessions so far, and why the last one failed. */
  readonly failures: number;
  readonly lastFailure: FailureCause | null;
  /** Live temporary host names; only present when they were asked for, as they are secrets while they live. */
  readonly names?: readonly string[] | undefined;
  /** Its last bootstraps, the latest first; only present when they were asked for. */
  readonly history?: readonly PastBootstrap[] | undefined;
}

const hex: z.ZodType<string> = z.string().regex(/^([0-9a-fA-F]{2})+$/, "must be hex");

const DeviceInputSchema: z.ZodType<DeviceInput> = z.strictObject({
  endpoint: z.string().min(1).max(255),
  mode: SecurityModeSchema.optional(),
  identity: z.string().min(1).max(128).optional(),
  psk: hex.optional(),
  publicKey: z.string().min(1).max(16_384).optional(),
  secret: hex.optional(),
  profile: z.string().min(1).max(100).optional(),
  group: z.string().max(100).optional(),
  attributes: z.record(z.string(), z.string()).optional(),
});

export const DeviceViewSchema: z.ZodType<DeviceView> = z.strictObject({
  endpoint: z.string(),
  mode: SecurityModeSchema,
  state: z.enum(DEVICE_STATES),
  instance: z.string().nullable(),
  profile: z.string(),
  group: z.string().nullable(),
  completedAt: z.number().int().nullable(),
  failures: z.number().int(),
  lastFailure: z.enum(FAILURE_CAUSES).nullable(),
  names: z.array(z.string()).optional(),
  history: z
    .array(
      z.strictObject({
        at: z.number().int(),
        instance: z.string().nullable(),
        name: z.string().nullable(),
        duration: z.number().int().min(0),
        outcome: z.enum(["completed", ...FAILURE_CAUSES]),
      }),
    )
    .optional(),
});

/** A batch of an import, and what became of it: `rejected` names the position in the batch and the reason. */
export interface DeviceBatch {
  readonly devices: readonly DeviceInput[];
  /** Nothing is to be changed: the answer only counts those that would be `renamed`. */
  readonly plan?: boolean | undefined;
  /** So many the import that this batch is part of would rename, as its plan has counted them. */
  readonly renames?: number | undefined;
  /** It is meant, however many names it changes: the brake does not hold it. */
  readonly confirm?: boolean | undefined;
}
export interface DeviceBatchReply {
  readonly inserted: number;
  readonly updated: number;
  readonly rejected: readonly { readonly index: number; readonly reason: string }[];
  /** What is to be said of the fleet as it is now, such as that it has more devices than the recipe has names. */
  readonly warnings: readonly string[];
  /** Devices whose live names change, as their secrets do; only in the answer to a plan. */
  readonly renamed?: number | undefined;
}

export const DeviceBatchSchema: z.ZodType<DeviceBatch> = z.strictObject({
  devices: z.array(DeviceInputSchema).max(5000),
  plan: z.boolean().optional(),
  renames: z.number().int().min(0).optional(),
  confirm: z.boolean().optional(),
});
export const DeviceBatchReplySchema: z.ZodType<DeviceBatchReply> = z.strictObject({
  inserted: z.number().int(),
  updated: z.number().int(),
  rejected: z.array(z.strictObject({ index: z.number().int(), reason: z.string() })),
  warnings: z.array(z.string()),
  renamed: z.number().int().min(0).optional(),
});

/** Which devices to list; `after` is the last endpoint of the page before. */
export interface DeviceQuery {
  readonly state?: DeviceState | undefined;
  readonly after?: string | undefined;
  readonly limit?: number | undefined;
  readonly names?: boolean | undefined;
}
export interface DevicePage {
  readonly devices: readonly DeviceView[];
  /** Give this as `after` for the next page; null at the end. */
  readonly next: string | null;
}

export const DeviceQuerySchema: z.ZodType<DeviceQuery> = z.strictObject({
  state: z.enum(DEVICE_STATES).optional(),
  after: z.string().optional(),
  limit: z.coerce.number().int().min(1).max(1000).optional(),
  names: z.stringbool().optional(),
});
export const DevicePageSchema: z.ZodType<DevicePage> = z.strictObject({
  devices: z.array(DeviceViewSchema),
  next: z.string().nullable(),
});
