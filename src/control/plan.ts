import { z } from "zod";

/** Why a device would move to another instance. */
export type MoveReason = "unserved" | "joined" | "levelled" | "dealt" | "chosen" | "nobody";
const MOVE_REASONS: readonly [MoveReason, ...MoveReason[]] = ["unserved", "joined", "levelled", "dealt", "chosen", "nobody"];

/** What to plan: the next regeneration of names, or what would happen at once if instances were other than they are. */
export interface PlanRequest {
  /** As if these instances did not serve. */
  readonly without?: readonly string[] | undefined;
  /** As if these instances had these weights, by id. */
  readonly weights?: Readonly<Record<string, number>> | undefined;
}

/** What would become of an instance. */
export interface InstancePlan {
  readonly id: string;
  /** Pending devices whose names lead to it. */
  readonly before: number;
  readonly after: number;
  readonly arriving: number;
  readonly leaving: number;
  /** Names that DNS would get that lead to it, and lose. */
  readonly added: number;
  readonly removed: number;
}

/** What would change, without changing it (B16). */
export interface PlanReply {
  /** When it will happen, ms; null where it waits for an operator or an event. */
  readonly at: number | null;
  /** Names that DNS would get, and lose. */
  readonly added: number;
  readonly removed: number;
  /** Devices whose names would lead to another instance. */
  readonly moved: number;
  readonly reasons: readonly { readonly reason: MoveReason; readonly devices: number }[];
  readonly instances: readonly InstancePlan[];
}

const count: z.ZodType<number> = z.number().int().min(0);

export const PlanRequestSchema: z.ZodType<PlanRequest> = z.strictObject({
  without: z.array(z.string().min(1).max(63)).max(1000).optional(),
  weights: z.record(z.string().min(1).max(63), z.number().min(0)).optional(),
});

export const PlanReplySchema: z.ZodType<PlanReply> = z.strictObject({
  at: z.number().nullable(),
  added: count,
  removed: count,
  moved: count,
  reasons: z.array(z.strictObject({ reason: z.enum(MOVE_REASONS), devices: count })),
  instances: z.array(
    z.strictObject({
      id: z.string(),
      before: count,
      after: count,
      arriving: count,
      leaving: count,
      added: count,
      removed: count,
    }),
  ),
});
