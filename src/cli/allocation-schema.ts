import { z } from "zod";
import { POLICIES, type SitingColumns, type SitingRule } from "../balancer/index.ts";
import type { Milliseconds } from "../lib/clock.ts";
import type { HttpCredentials } from "./config-schema.ts";
import { duration } from "./duration-schema.ts";

/** A policy of the user's own: a JavaScript module, or somebody who is asked over HTTP. */
export type OwnPolicyConfig = {
  /** The built-in policy for what it does not say. */
  readonly fallback: string;
  /** Attributes of devices that it is told. */
  readonly attributes: readonly string[];
  /** An answer that takes longer is none. */
  readonly timeout: Milliseconds;
} & ({ readonly module: string } | (HttpCredentials & { readonly hook: string }));

/** The section `allocation` of `berth.yaml`. */
export interface AllocationConfig {
  /** Name of a built-in policy, or one of the user's own. */
  readonly policy: string | OwnPolicyConfig;
  readonly rules: readonly SitingRule[];
  readonly columns: SitingColumns;
  readonly nearest: number;
}

const text: z.ZodType<string> = z.string().min(1);
const names = [...POLICIES.keys()];
const builtIn = z.enum(names);
/** Nothing else changes devices meanwhile. */
const TIMEOUT: Milliseconds = 1000;

const common = {
  fallback: builtIn.default("even"),
  attributes: z.array(text).default([]),
  timeout: duration.default(TIMEOUT),
};
const ownModule = z.strictObject({ module: text, ...common });
const hook = z.strictObject({
  hook: text,
  token: text.optional(),
  ca: text.optional(),
  certificate: text.optional(),
  key: text.optional(),
  ...common,
});

const rule: z.ZodType<SitingRule> = z
  .strictObject({
    endpoint: text.optional(),
    group: text.optional(),
    attributes: z.record(z.string(), z.string()).optional(),
    pool: text.optional(),
    instances: z.array(text).min(1).optional(),
    strict: z.boolean().optional(),
  })
  .refine(({ pool, instances }) => pool !== undefined || instances !== undefined, "say where to: give a pool, or instances");

const columns: z.ZodType<SitingColumns> = z
  .strictObject({
    pin: text.optional(),
    pool: text.optional(),
    region: text.optional(),
    latitude: text.optional(),
    longitude: text.optional(),
  })
  .refine(
    ({ latitude, longitude }) => (latitude === undefined) === (longitude === undefined),
    "give latitude and longitude, or neither",
  );

/** Schema of the section `allocation`. */
export const AllocationSchema: z.ZodType<AllocationConfig> = z
  .strictObject({
    policy: z
      .union([builtIn, ownModule, hook], {
        error: `is none of ${names.join(", ")}, and neither { module: FILE } nor { hook: URL }`,
      })
      .default("even"),
    rules: z.array(rule).default([]),
    columns: columns.default({}),
    nearest: z.number().int().min(1).default(1),
  })
  .prefault({}) as z.ZodType<AllocationConfig>;
