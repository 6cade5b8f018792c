import { z } from "zod";
import { type HeldChange, HeldChangeSchema, type PublicationStatus, PublicationStatusSchema } from "./publication.ts";

/** Why names are regenerated now, for the log and the audit log. */
export interface Rotation {
  readonly reason: string;
  /** `leak`: somebody may know live names; if absent, an operator wants it. */
  readonly trigger?: "operator" | "leak" | undefined;
}

/** What a rotation did. */
export interface RotationReply {
  /** Devices that were pending, and so got fresh names. */
  readonly pending: number;
  /** Devices whose names now point at another instance. */
  readonly moved: number;
  /**
   * For recipes with a counter: devices whose lowest name was withdrawn. The other pending ones keep their names, as they
   * might try no live one else. Null where names go by the time alone.
   */
  readonly stepped: number | null;
  /** What was not done, and what is to be said of the names. */
  readonly warnings: readonly string[];
}

/**
 * One epoch whose names are in DNS: its rounded instant, or without a time how far beyond each device's lowest counter. `start` and `end` bound its use by a device with a right clock, ms.
 */
export interface EpochView {
  readonly value: number;
  readonly start: number | null;
  readonly end: number | null;
  readonly names: number;
}

/** The state of the whole fleet. */
export interface FleetStatus {
  readonly zone: string;
  readonly devices: { readonly pending: number; readonly commenced: number; readonly completed: number };
  readonly instances: number;
  /** What the instances take on together, and how many of them turned something away since their last heartbeat. */
  readonly admission: {
    readonly handshakesPerSecond: number;
    readonly sessions: number;
    /** ClientHellos left without an answer, by the instances that are up, each since its start. */
    readonly turnedAway: number;
    readonly full: number;
  };
  readonly epochs: readonly EpochView[];
  /** Names that several devices share (N10). */
  readonly collisions: number;
  /** How names get to the registry; null before that has begun. */
  readonly publication: PublicationStatus | null;
  /** What waits for somebody to confirm it. */
  readonly held: readonly HeldChange[];
  /** What an operator should know of the fleet as it is now. */
  readonly warnings: readonly string[];
}

const count: z.ZodType<number> = z.number().int().min(0);

export const RotationSchema: z.ZodType<Rotation> = z.strictObject({
  reason: z.string().max(200),
  trigger: z.enum(["operator", "leak"]).optional(),
});
export const RotationReplySchema: z.ZodType<RotationReply> = z.strictObject({
  pending: count,
  moved: count,
  stepped: count.nullable(),
  warnings: z.array(z.string()),
});
export const FleetStatusSchema: z.ZodType<FleetStatus> = z.strictObject({
  zone: z.string(),
  devices: z.strictObject({ pending: count, commenced: count, completed: count }),
  instances: count,
  admission: z.strictObject({ handshakesPerSecond: z.number().min(0), sessions: count, turnedAway: count, full: count }),
  epochs: z.array(z.strictObject({ value: z.number(), start: z.number().nullable(), end: z.number().nullable(), names: count })),
  collisions: count,
  publication: PublicationStatusSchema.nullable(),
  held: z.array(HeldChangeSchema),
  warnings: z.array(z.string()),
});
