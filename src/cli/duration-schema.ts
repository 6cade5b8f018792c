import { z } from "zod";
import type { Milliseconds } from "../lib/clock.ts";
import { parseDuration } from "../lib/duration.ts";

/** A span of time as people write it in the configuration. */
export const duration: z.ZodType<Milliseconds> = z.string().transform((text, context) => {
  try {
    return parseDuration(text);
  } catch {
    context.addIssue("is not a duration; write for example 30s, 5m or 1h");
    return z.NEVER;
  }
});
