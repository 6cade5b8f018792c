import { z } from "zod";
import { InvalidInput } from "../lib/errors.ts";
import { LIMITS, type NameserverLimits, Networks } from "../nameserver/index.ts";
import { duration } from "./duration-schema.ts";

const network: z.ZodType<string> = z.string().superRefine((written, context) => {
  try {
    new Networks([written]);
  } catch (error) {
    if (!(error instanceof InvalidInput)) throw error;
    context.addIssue(error.message);
  }
});

/** Schema of section `dns.limits`: what the nameserver grants its clients. */
export const NameserverLimitsSchema: z.ZodType<NameserverLimits> = z.strictObject({
  responses: z.number().int().min(0).max(1_000_000).default(LIMITS.responses),
  slip: z.number().int().min(0).max(10).default(LIMITS.slip),
  window: duration.refine((window) => window >= 1000 && window <= 3_600_000, "is no time from 1s to 1h").default(LIMITS.window),
  exempt: z.array(network).default([...LIMITS.exempt]),
  connections: z.number().int().min(1).default(LIMITS.connections),
  connectionsPerNetwork: z.number().int().min(1).default(LIMITS.connectionsPerNetwork),
  idle: duration.refine((idle) => idle >= 1000, "is too short; at least 1s").default(LIMITS.idle),
});
