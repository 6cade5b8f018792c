import { z } from "zod";

/**
 * Why a bootstrap session did not complete. `request-failed`: the device refused or did not answer a Delete or
 * Write; `finish-failed`: it found the configuration inconsistent (4.06); `deadline`: the session took too long;
 * `cancelled`: a newer request of the same device replaced it; `connection-lost`: its DTLS association ended;
 * `no-profile`: the profile it is to get is not known or does not fit it; `hand-over-failed`: the security store of an
 * LwM2M Server did not take the fresh key that was made for it; `internal`: a fault of ours.
 */
export type FailureCause =
  | "request-failed"
  | "finish-failed"
  | "deadline"
  | "cancelled"
  | "connection-lost"
  | "no-profile"
  | "hand-over-failed"
  | "internal";

export const FAILURE_CAUSES: readonly [FailureCause, ...FailureCause[]] = [
  "request-failed",
  "finish-failed",
  "deadline",
  "cancelled",
  "connection-lost",
  "no-profile",
  "hand-over-failed",
  "internal",
];

/** What an instance tells of a device's bootstrap session (S3, B5). */
export interface Notification {
  /** Counts up by one per boot of the instance; the balancer applies each number once. */
  readonly sequence: number;
  readonly kind: "commenced" | "completed" | "failed";
  readonly endpoint: string;
  /** Names the session, unique over all instances. */
  readonly session: string;
  /** When it happened by the instance's clock, ms. */
  readonly at: number;
  /** For recipes with a counter, for `commenced` and `completed`: the one of the name that the device used, if that was seen. */
  readonly counter?: number | undefined;
  /** For `completed` and `failed`: how long the session took, ms. */
  readonly duration?: number | undefined;
  /** For `failed`. */
  readonly cause?: FailureCause | undefined;
  /** For `failed`: one line for a person. */
  readonly detail?: string | undefined;
}

const NotificationSchema: z.ZodType<Notification> = z.strictObject({
  sequence: z.number().int().min(1),
  kind: z.enum(["commenced", "completed", "failed"]),
  endpoint: z.string().min(1).max(255),
  session: z.string().min(1).max(80),
  at: z.number().int().min(0),
  counter: z.number().int().min(0).optional(),
  duration: z.number().int().min(0).optional(),
  cause: z.enum(FAILURE_CAUSES).optional(),
  detail: z.string().max(300).optional(),
});

/** Notifications of one instance since its start `boot`, in order. Sent again until acknowledged. */
export interface NotificationBatch {
  readonly boot: string;
  readonly notifications: readonly Notification[];
}

export const NotificationBatchSchema: z.ZodType<NotificationBatch> = z.strictObject({
  boot: z.string().min(1).max(80),
  notifications: z.array(NotificationSchema).max(5000),
});
