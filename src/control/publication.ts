import { z } from "zod";
import { BerthError } from "../lib/errors.ts";

/** How names get to the servers that devices' resolvers ask (spec R2-R4). */
const REGISTRIES = ["embedded", "rfc2136", "primary"] as const;
/**
 * `following`: all is well. `behind`: changes wait. `failing`: the registry does not take them. `held`: they wait for somebody to
 * confirm them. `fenced`: another balancer leads. `waiting`: the lease is not ours.
 */
const STATES = ["following", "behind", "failing", "held", "fenced", "waiting"] as const;

/** What one of the servers that matter says of the zone. */
export interface PublicationServer {
  /** Such as `192.0.2.53:53`. */
  readonly server: string;
  /** Its SOA serial; null if it did not answer, or not for the zone. */
  readonly serial: number | null;
  /** How long it has been behind what was published, ms; 0 if it is not. */
  readonly lag: number;
  /** What is wrong with it, in words; null if nothing is. */
  readonly problem: string | null;
}

/** What is published, as an operator sees it. */
export interface PublicationStatus {
  readonly registry: (typeof REGISTRIES)[number];
  readonly state: (typeof STATES)[number];
  /** Names in the registry. */
  readonly names: number;
  /** Changes that wait to be written, about. */
  readonly waiting: number;
  /** Since when the oldest of them waits, ms; null if none does. */
  readonly since: number | null;
  /** How long the last change that was observed took from its decision until all servers had it, ms; null before the first. */
  readonly lastLag: number | null;
  readonly servers: readonly PublicationServer[];
  /** Why the state is what it is, in words; null while following. */
  readonly explanation: string | null;
}

/** Something that the brake holds: it would take or change more of what is live than goes without a word, and has not happened. */
export interface HeldChange {
  /** What would do it: `import`, `source NAME` or `registry`. */
  readonly what: string;
  /** What it would do, in words, with the numbers. */
  readonly explanation: string;
  /** Since when it is held, by the balancer's clock, ms. */
  readonly since: number;
  /** Whether somebody has confirmed it, so that it happens the next time it is asked for. */
  readonly confirmed: boolean;
}

/** A change is held by the brake: nothing of it has happened. Code `held`, HTTP 409. */
export class ChangeHeld extends BerthError {
  constructor(message: string) {
    super("held", message);
  }
}

/** What was held and is confirmed now. */
export interface ConfirmationReply {
  readonly confirmed: readonly HeldChange[];
}

/** What stands between the balancer and the names' servers, as its control API needs it. */
export interface PublicationControl {
  /** How it stands. */
  view(): PublicationStatus;
  /** Lets go what is held. Says whether anything was. */
  confirm(): Promise<boolean>;
  /** Compares all there is in the registry with what should be, and mends it. */
  compare(): Promise<void>;
}

const count: z.ZodType<number> = z.number().int().min(0);

export const PublicationStatusSchema: z.ZodType<PublicationStatus> = z.strictObject({
  registry: z.enum(REGISTRIES),
  state: z.enum(STATES),
  names: count,
  waiting: count,
  since: z.number().nullable(),
  lastLag: z.number().nullable(),
  servers: z.array(
    z.strictObject({ server: z.string(), serial: count.nullable(), lag: z.number(), problem: z.string().nullable() }),
  ),
  explanation: z.string().nullable(),
});
export const HeldChangeSchema: z.ZodType<HeldChange> = z.strictObject({
  what: z.string(),
  explanation: z.string(),
  since: z.number(),
  confirmed: z.boolean(),
});
export const ConfirmationReplySchema: z.ZodType<ConfirmationReply> = z.strictObject({ confirmed: z.array(HeldChangeSchema) });
