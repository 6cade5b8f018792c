import type { Notification } from "../../src/control/index.ts";
import type { Instant, Milliseconds } from "../../src/lib/clock.ts";

/** A device as the model follows it. */
export interface ModelDevice {
  readonly number: number;
  readonly endpoint: string;
  /** What its names are made of. A secret. */
  readonly key: Uint8Array;
  /** How far its clock is ahead, ms. */
  error: Milliseconds;
  /** `resting`: armed, and not on its way; `trying`: on its way; `served`: in a session; `done`: completed. */
  state: "resting" | "trying" | "served" | "done";
  /** When it was imported, or armed again. */
  armedAt: Instant;
  /** Attempts that failed since it set out, while there were instances to serve it. */
  failures: number;
}

/** A bootstrap session as device and instance know it. */
export interface ModelSession {
  readonly id: string;
  readonly device: ModelDevice;
  readonly instance: ModelInstance;
  /** The names the device had when the balancer learned of the session: it keeps them until the session is over. */
  hosts: readonly string[];
  /** `told`: the balancer knows of it, and must leave the device alone; `loose`: it was not told yet, or has to take the instance for dead. */
  guard: "loose" | "told";
}

/** A bootstrap server instance as the model follows it. */
export interface ModelInstance {
  readonly id: string;
  readonly address: string;
  /** Names this start of it. */
  boot: string;
  /** `paused`: it does nothing for a while, as a machine that swaps; `gone`: it never comes back. */
  state: "up" | "paused" | "down" | "gone";
  /** Its last sign of life that the balancer got. */
  lastSign: Instant;
  readonly sessions: Set<ModelSession>;
  /** What the balancer was not told yet, each with what is to happen once it was. */
  outbox: { readonly note: Notification; readonly told: () => void }[];
  sequence: number;
}

/** What the model counts; for people, and to see that a run did what it was meant to. */
export interface Figures {
  sessions: number;
  completed: number;
  failed: number;
  /** Attempts at an instance that did not answer. */
  unanswered: number;
  /** Names that did not exist, asked for by devices whose clocks are off by more than the skew, or that had just been armed. */
  notFound: number;
  /** Devices that an instance was not to serve, where resolvers may lead and the balancer does not know. */
  refused: number;
  /** Completions that the balancer never heard of, as the instance died; these devices come again. */
  unheard: number;
  rearmed: number;
  joined: number;
  left: number;
  crashed: number;
  paused: number;
  drained: number;
  rotations: number;
  balancerRestarts: number;
  /** The most names an instance had after an epoch was published, per its fair share. */
  worstShare: number;
  /** The longest an instance that died stayed in DNS, ms. */
  longestInDns: Milliseconds;
}

export function noFigures(): Figures {
  return {
    sessions: 0,
    completed: 0,
    failed: 0,
    unanswered: 0,
    notFound: 0,
    refused: 0,
    unheard: 0,
    rearmed: 0,
    joined: 0,
    left: 0,
    crashed: 0,
    paused: 0,
    drained: 0,
    rotations: 0,
    balancerRestarts: 0,
    worstShare: 1,
    longestInDns: 0,
  };
}
