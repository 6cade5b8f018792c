import type { DeviceState, FailureCause, SecurityMode } from "../control/index.ts";
import type { Instant } from "../lib/clock.ts";
import type { Siting } from "./allocation/siting.ts";
import { type Counting, finished, used, withdrawn } from "./counting.ts";

/** Stands for "no instance" where an instance's index is asked for. */
export const NOWHERE = -1;

/** What changes while a device bootstraps. Replaced as a whole, so that a change is seen all or not at all. */
export interface Progress extends Counting {
  readonly state: DeviceState;
  /** Index of the instance its names point at, or {@link NOWHERE}; in progress or completed, the one that has or had its session. */
  readonly home: number;
  /** The session in progress, or the last one. */
  readonly session: string | null;
  readonly commencedAt: Instant | null;
  /** When the session before completed, until another one commences: a re-armed device keeps it. */
  readonly completedAt: Instant | null;
  readonly attempts: number;
  readonly failures: number;
  readonly failure: FailureCause | null;
}

/** Progress of a device nobody has seen yet. */
export const NEW_PROGRESS: Progress = {
  state: "pending",
  home: NOWHERE,
  session: null,
  commencedAt: null,
  completedAt: null,
  attempts: 0,
  failures: 0,
  failure: null,
  counter: 0,
  skipped: 0,
};

/** By home and how many names are skipped. */
const newAt: Map<string, Progress> = new Map();

/** The same progress at another instance. Most devices have done nothing yet: these share objects. */
export function atHome(progress: Progress, home: number): Progress {
  const { session, failures, counter, skipped } = progress;
  if (session !== null || failures > 0 || counter > 0) return { ...progress, home };
  const key = `${home}/${skipped}`;
  const shared = newAt.get(key) ?? { ...NEW_PROGRESS, home, skipped };
  newAt.set(key, shared);
  return shared;
}

/** What many devices have in common. All devices of a kind share one object: there are a million of them. */
export interface DeviceKind {
  readonly mode: SecurityMode;
  /** Name of the bootstrap profile. */
  readonly profile: string;
  readonly group: string | null;
  /** Where it is to be served. */
  readonly siting: Siting;
}

/** A device in the balancer's memory. Keys are kept as hex, as that is how they travel, and the smallest form a string has. */
export interface Device {
  readonly endpoint: string;
  identity: string;
  /** In mode `psk`, and in no other. */
  psk: string | undefined;
  /** What names are made of, where it is not the PSK. */
  secret: string | undefined;
  kind: DeviceKind;
  attributes: Readonly<Record<string, string>>;
  /** Its number: the place of its name key, and of its mark where sets of devices are kept as marks. */
  readonly row: number;
  progress: Progress;
}

/** Whether a device has names that lead somewhere. */
export function isNamed({ progress }: Device): boolean {
  return progress.state !== "completed" && progress.home !== NOWHERE;
}

/** What can happen to a device, in the words of FIG. 4. `at` is the balancer's time. */
export type DeviceEvent =
  | {
      readonly kind: "commenced" | "completed";
      readonly session: string;
      readonly instance: number;
      readonly at: Instant;
      readonly counting?: SeenCounter | undefined;
    }
  | { readonly kind: "failed"; readonly session: string; readonly cause: FailureCause }
  /** The session took longer than the deadline (B13). */
  | { readonly kind: "deadline" }
  /** Its instance is gone, and the session with it (B12). */
  | { readonly kind: "instance-lost" }
  /** It may bootstrap again (B14). */
  | { readonly kind: "rearmed" }
  /** The lowest of its names is to go, though it has not come yet; for recipes with a counter. */
  | { readonly kind: "withdrawn"; readonly lookAhead: number };

/** For recipes with a counter: the one of the name that the device came by, if it was seen. */
export interface SeenCounter {
  readonly counter: number | undefined;
  readonly lookAhead: number;
}

/**
 * The state machine of a device: pending -> commenced -> completed, or back to pending (spec B5, B7, B13). News of
 * different instances may come in another order than things happened. So a completion is believed whatever session it
 * is of, as the device has its configuration, and is final until the device is re-armed (B14): then what is told late of
 * the session that completed counts no more. A failure counts only for the session in progress.
 * @returns the same object when nothing changes
 */
export function nextProgress(progress: Progress, event: DeviceEvent): Progress {
  if (event.kind === "rearmed")
    return progress.state === "completed" ? { ...progress, state: "pending", home: NOWHERE } : progress;
  if (progress.state === "completed") return progress;
  switch (event.kind) {
    case "commenced":
      if (progress.session === event.session) return progress;
      return {
        ...progress,
        state: "commenced",
        home: event.instance,
        session: event.session,
        commencedAt: event.at,
        completedAt: null,
        attempts: progress.attempts + 1,
        ...(event.counting?.counter === undefined ? {} : used(progress, event.counting.counter, event.counting.lookAhead)),
      };
    case "completed":
      if (progress.completedAt !== null && progress.session === event.session) return progress;
      return {
        ...progress,
        state: "completed",
        home: event.instance,
        session: event.session,
        completedAt: event.at,
        failure: null,
        ...(event.counting === undefined ? {} : finished(progress, event.counting.counter)),
      };
    case "failed":
      return progress.session === event.session ? backToPending(progress, event.cause) : progress;
    case "withdrawn": {
      const { skipped } = withdrawn(progress, event.lookAhead);
      if (progress.state !== "pending" || skipped === progress.skipped) return progress;
      return atHome({ ...progress, skipped }, progress.home);
    }
    case "deadline":
      return backToPending(progress, "deadline");
    case "instance-lost":
      return backToPending(progress, "connection-lost");
  }
}

function backToPending(progress: Progress, failure: FailureCause): Progress {
  if (progress.state !== "commenced") return progress;
  return { ...progress, state: "pending", commencedAt: null, failures: progress.failures + 1, failure };
}
