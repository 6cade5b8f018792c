import { z } from "zod";

/** Where an instance is reached: at most one address per family (R5). */
export interface InstanceAddresses {
  readonly ipv4?: string | undefined;
  readonly ipv6?: string | undefined;
}

/** What an instance says of itself when it registers. */
export interface InstanceRegistration {
  /** Names this start of the instance; a new one says that its sessions of before are gone. */
  readonly boot: string;
  readonly addresses: InstanceAddresses;
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

/** What the balancer tells an operator of an instance. */
export interface InstanceView {
  readonly id: string;
  readonly state: "up" | "lost" | "left";
  readonly addresses: InstanceAddresses;
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
  .strictObject({ ipv4: z.ipv4().optional(), ipv6: z.ipv6().optional() })
  .refine((given) => given.ipv4 !== undefined || given.ipv6 !== undefined, "give an ipv4 or an ipv6 address, or both");

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

export const InstanceRegistrationSchema: z.ZodType<InstanceRegistration> = z.strictObject({
  boot: z.string().min(1).max(80),
  addresses,
});

export const HeartbeatSchema: z.ZodType<Heartbeat> = z.strictObject({ boot: z.string().min(1).max(80), load });

export const InstanceTermsSchema: z.ZodType<InstanceTerms> = z.strictObject({ heartbeat: z.number().positive() });

export const InstanceViewSchema: z.ZodType<InstanceView> = z.strictObject({
  id: z.string(),
  state: z.enum(["up", "lost", "left"]),
  addresses,
  pending: count,
  commenced: count,
  completed: count,
  silent: z.number(),
  load,
});
