import { z } from "zod";

/** Which completed devices may bootstrap again (B14): those that every condition given here selects; one has to be given. */
export interface Rearming {
  readonly endpoints?: readonly string[] | undefined;
  readonly group?: string | undefined;
  /** Only those that completed before this instant, ms. */
  readonly completedBefore?: number | undefined;
  /** Every completed device. */
  readonly all?: true | undefined;
  /** Why, for the audit log. */
  readonly reason: string;
}

/** What a re-arming did. */
export interface RearmingReply {
  /** Devices that are pending again; others selected were not completed. */
  readonly rearmed: number;
  /** Endpoints that are not in the fleet. */
  readonly unknown: readonly string[];
}

export const RearmingSchema: z.ZodType<Rearming> = z
  .strictObject({
    endpoints: z.array(z.string().min(1).max(255)).min(1).max(5000).optional(),
    group: z.string().min(1).max(128).optional(),
    completedBefore: z.number().int().min(0).optional(),
    all: z.literal(true).optional(),
    reason: z.string().max(200),
  })
  .refine(
    ({ reason: _, ...conditions }) => Object.values(conditions).some((value) => value !== undefined),
    "selects nothing: give endpoints, group, completedBefore or all",
  );
export const RearmingReplySchema: z.ZodType<RearmingReply> = z.strictObject({
  rearmed: z.number().int().min(0),
  unknown: z.array(z.string()),
});
