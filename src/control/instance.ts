import { z } from "zod";

/** Where an instance is reached: at most one address per family (R5). */
export interface InstanceAddresses {
  readonly ipv4?: string | undefined;
  readonly ipv6?: string | undefined;
  /** Instead of `ipv6`: an IPv6 prefix that is routed to it, such as `2001:db8:1:2::/64`; each name has its own address in it. */
  readonly prefix?: string | undefined;
}

/** What an instance says that it is, for devices to be allocated by (B3); each is optional. */
export interface Declared {
  /** How many devices it is to have relative to the others; 1 if not given. */
  readonly weight?: number | undefined;
  readonly region?: string | undefined;
  /** Latitude and longitude, degrees. */
  readonly location?: readonly [number, number] | undefined;
  /** Names of the pools it belongs to. */
  readonly pools?: readonly string[] | undefined;
  /** The most names it wants. */
  readonly room?: number | undefined;
}

/** What an instance says of itself when it registers. */
export interface InstanceRegistration {
  /** Names this start of the instance; a new one says that its sessions of before are gone. */
  readonly boot: string;
  readonly addresses: InstanceAddresses;
  readonly declared?: Declared | undefined;
}

/** What an instance takes on, and what it had to leave: a handshake beyond its budget gets no answer (S6). */
export interface AdmissionLoad {
  /** The budget in force: new handshakes a second, and sessions at a time. */
  readonly handshakesPerSecond: number;
  readonly sessions: number;
  /** ClientHellos left without an answer since the start. */
  readonly turnedAway: number;
  /** Whether any was since the last heartbeat. */
  readonly full: boolean;
}

/** What the instance is doing; counters count from its start. */
export interface InstanceLoad {
  /** Bootstrap sessions in progress. */
  readonly sessions: number;
  /** DTLS handshakes completed. */
  readonly handshakes: number;
  readonly completed: number;
  readonly failed: number;
  /** CPU time used per time passed since the last heartbeat: 1 is one core. */
  readonly cpu: number;
  readonly admission: AdmissionLoad;
}

/** A sign of life, sent every `heartbeat` ms of {@link InstanceTerms}. */
export interface Heartbeat {
  readonly boot: string;
  readonly load: InstanceLoad;
}

/** The balancer's answer to a registration. */
export interface InstanceTerms {
  /** Send a heartbeat this often, ms. */
  readonly heartbeat: number;
}

/**
 * Where an instance stands: `up`; `probation`, back after it was lost or failing, and gets no devices yet; `draining`, gets
 * none any more as an operator said; `drained`, so, and nothing leads to it any more; `lost`, no sign of life for too
 * long (B12); `left`, gone by its own word.
 */
export type InstanceState = "up" | "probation" | "draining" | "drained" | "lost" | "left";

/** What an operator has set at run time; it outranks what is declared and measured. */
export interface InstanceOverride {
  /** Instead of the weight declared or measured; 0 is no names at all. Null: as declared or measured. */
  readonly weight: number | null;
  readonly draining: boolean;
}

/** What an operator changes of {@link InstanceOverride}; what is left out stays as it is. */
export interface OverrideChange {
  readonly weight?: number | null | undefined;
  readonly draining?: boolean | undefined;
}

/** What became of an {@link OverrideChange}. */
export interface OverrideReply {
  readonly instance: InstanceView;
  /** Devices that were given to another instance. */
  readonly moved: number;
  /** What the operator should know, such as that names stay as no other instance serves. */
  readonly warning: string | null;
}

/** What the balancer tells an operator of an instance. */
export interface InstanceView {
  readonly id: string;
  readonly state: InstanceState;
  readonly addresses: InstanceAddresses;
  readonly declared: Declared;
  readonly override: InstanceOverride;
  /** Devices allocated to it: pending, commenced, completed. */
  readonly pending: number;
  readonly commenced: number;
  readonly completed: number;
  /** Milliseconds since its last sign of life. */
  readonly silent: number;
  readonly load: InstanceLoad;
}

/** Of an instance that has not said anything yet. */
export const NO_LOAD: InstanceLoad = {
  sessions: 0,
  handshakes: 0,
  completed: 0,
  failed: 0,
  cpu: 0,
  admission: { handshakesPerSecond: 0, sessions: 0, turnedAway: 0, full: false },
};

const addresses: z.ZodType<InstanceAddresses> = z
  .strictObject({ ipv4: z.ipv4().optional(), ipv6: z.ipv6().optional(), prefix: z.cidrv6().optional() })
  .refine((given) => Object.values(given).some((value) => value !== undefined), "give an ipv4 or an ipv6 address, or both")
  .refine(({ ipv6, prefix }) => ipv6 === undefined || prefix === undefined, "give an ipv6 address or a prefix, not both");

const count: z.ZodType<number> = z.number().int().min(0);

const admission: z.ZodType<AdmissionLoad> = z.strictObject({
  handshakesPerSecond: z.number().min(0),
  sessions: count,
  turnedAway: count,
  full: z.boolean(),
});

const load: z.ZodType<InstanceLoad> = z.strictObject({
  sessions: count,
  handshakes: count,
  completed: count,
  failed: count,
  cpu: z.number().min(0),
  admission,
});

const weight: z.ZodType<number> = z.number({ error: "is no number" }).max(1_000_000, "is more than 1000000");
const word: z.ZodType<string> = z.string().min(1).max(80);
const degrees = (limit: number, what: string): z.ZodType<number> =>
  z.number().min(-limit, `is no ${what}`).max(limit, `is no ${what}`);

/** The fields of {@link Declared}, for schemas that have others beside them. */
export const DECLARED_FIELDS: { readonly [Name in keyof Declared]-?: z.ZodType<Declared[Name]> } = {
  weight: weight.refine((value) => value > 0, "is not more than 0").optional(),
  region: word.optional(),
  location: z
    .tuple([degrees(90, "latitude, -90 to 90"), degrees(180, "longitude, -180 to 180")], {
      error: "is no [latitude, longitude]",
    })
    .optional(),
  pools: z.array(word).max(100).optional(),
  room: z.number().int("is no whole number").min(1, "is less than 1").optional(),
};

export const DeclaredSchema: z.ZodType<Declared> = z.strictObject(DECLARED_FIELDS);

export const InstanceRegistrationSchema: z.ZodType<InstanceRegistration> = z.strictObject({
  boot: z.string().min(1).max(80),
  addresses,
  declared: DeclaredSchema.optional(),
});

export const OverrideChangeSchema: z.ZodType<OverrideChange> = z.strictObject({
  weight: weight
    .refine((value) => value >= 0, "is less than 0")
    .nullable()
    .optional(),
  draining: z.boolean().optional(),
});

const override: z.ZodType<InstanceOverride> = z.strictObject({ weight: z.number().nullable(), draining: z.boolean() });

export const HeartbeatSchema: z.ZodType<Heartbeat> = z.strictObject({ boot: z.string().min(1).max(80), load });

export const InstanceTermsSchema: z.ZodType<InstanceTerms> = z.strictObject({ heartbeat: z.number().positive() });

export const InstanceViewSchema: z.ZodType<InstanceView> = z.strictObject({
  id: z.string(),
  state: z.enum(["up", "probation", "draining", "drained", "lost", "left"]),
  addresses,
  declared: DeclaredSchema,
  override,
  pending: count,
  commenced: count,
  completed: count,
  silent: z.number(),
  load,
});

export const OverrideReplySchema: z.ZodType<OverrideReply> = z.strictObject({
  instance: InstanceViewSchema,
  moved: count,
  warning: z.string().nullable(),
});
