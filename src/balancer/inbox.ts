import type { Notification, NotificationBatch, PastBootstrap } from "../control/index.ts";
import type { Clock } from "../lib/clock.ts";
import type { Logger } from "../lib/log.ts";
import { lookAheadOf, type Recipe, usesCounter } from "../naming/index.ts";
import type { NotificationMark } from "../storage/index.ts";
import { type Device, type DeviceEvent, nextProgress, type Progress } from "./device.ts";
import type { Fleet } from "./fleet.ts";
import type { History } from "./history.ts";
import type { Instance } from "./instances.ts";
import type { Rearming } from "./rearming.ts";
import type { Registrar } from "./registrar.ts";
import { NAME_WORK, Slices } from "./slices.ts";
import type { Turns } from "./turns.ts";

/** What the inbox works on. */
export interface InboxOptions {
  readonly recipe: Recipe;
  readonly fleet: Fleet;
  readonly registrar: Registrar;
  readonly history: History;
  readonly rearming: Rearming;
  readonly turns: Turns;
  readonly clock: Clock;
  readonly breathe: () => Promise<void>;
  readonly log: Logger;
}

interface Received {
  readonly instance: Instance;
  readonly batch: NotificationBatch;
}

/** What notifications come to. */
interface Outcome {
  readonly changes: Map<Device, Progress>;
  /** The latest first. */
  readonly ended: Map<Device, readonly PastBootstrap[]>;
}

/** Batches that will be stored together. */
interface Bundle {
  readonly received: Received[];
  size: number;
  readonly stored: Promise<void>;
}

/** Notifications stored together; more would be long in the way of others. */
const BUNDLE = 5000;

/**
 * Applies what instances tell (B5). Instances send at least once; a mark per start of an instance, stored in the
 * transaction of what it caused, makes each notification count once, over crashes of either side too. Batches
 * that come in while one is being stored are stored together.
 */
export class Inbox {
  readonly #parts: InboxOptions;
  /** Highest sequence applied, by instance and its boot. */
  readonly #applied: Map<string, number> = new Map();
  /** Takes more batches until its turn comes. */
  #open: Bundle | undefined;

  constructor(parts: InboxOptions, marks: readonly NotificationMark[]) {
    this.#parts = parts;
    for (const { instance, bootId, sequence } of marks) this.#applied.set(markKey(instance, bootId), sequence);
  }

  /** Resolves when the whole batch is stored and in effect; rejects if it is not stored. */
  receive(instance: Instance, batch: NotificationBatch): Promise<void> {
    if (this.#open === undefined || this.#open.size + batch.notifications.length > BUNDLE) this.#open = this.#newBundle();
    this.#open.received.push({ instance, batch });
    this.#open.size += batch.notifications.length;
    return this.#open.stored;
  }

  #newBundle(): Bundle {
    const received: Received[] = [];
    const stored = this.#parts.turns.run(() => {
      if (this.#open?.received === received) this.#open = undefined;
      return this.#apply(received);
    });
    return { received, size: 0, stored };
  }

  async #apply(received: readonly Received[]): Promise<void> {
    const { clock, registrar, rearming, breathe } = this.#parts;
    const outcome: Outcome = { changes: new Map(), ended: new Map() };
    const slices = new Slices(breathe);
    const marks = new Map<string, NotificationMark>();
    for (const { instance, batch } of received) {
      const key = markKey(instance.id, batch.boot);
      let sequence = marks.get(key)?.sequence ?? this.#applied.get(key) ?? 0;
      for (const notification of batch.notifications) {
        if (notification.sequence <= sequence) continue;
        sequence = notification.sequence;
        if (slices.spend(NAME_WORK)) await slices.rest();
        this.#note(outcome, instance, notification);
      }
      marks.set(key, { instance: instance.id, bootId: batch.boot, sequence, updatedAt: clock.now() });
    }
    await registrar.commit(outcome.changes, [...marks.values()], outcome.ended);
    for (const [key, { sequence }] of marks) this.#applied.set(key, sequence);
    await rearming.completed(outcome.changes.keys());
  }

  #note({ changes, ended }: Outcome, instance: Instance, notification: Notification): void {
    const { fleet, history, log } = this.#parts;
    const { endpoint, kind, session, duration, cause, detail } = notification;
    const fields = { instance: instance.id, endpoint, kind, session };
    const device = fleet.byEndpoint(endpoint);
    if (device === undefined) {
      log.warn(fields, "notification of a device that is not in the fleet any more");
      return;
    }
    // It was taken for lost while this waited: its sessions are over, and its devices were given to others.
    if (kind === "commenced" && !instance.alive) return;
    const before = changes.get(device) ?? device.progress;
    const after = nextProgress(before, this.#event(instance, notification));
    log.debug({ ...fields, cause, detail, state: after.state }, "notification");
    if (after === before) return;
    changes.set(device, after);
    const past = history.ended(device, before, after, kind === "commenced" ? undefined : duration);
    if (past !== undefined) ended.set(device, [past, ...(ended.get(device) ?? [])]);
  }

  #event(instance: Instance, { kind, session, cause, counter }: Notification): DeviceEvent {
    const { clock, recipe } = this.#parts;
    const at = clock.now();
    const counting = usesCounter(recipe) ? { counter, lookAhead: lookAheadOf(recipe) } : undefined;
    switch (kind) {
      case "commenced":
      case "completed":
        return { kind, session, instance: instance.index, at, counting };
      case "failed":
        return { kind, session, cause: cause ?? "internal" };
    }
  }
}

function markKey(instance: string, boot: string): string {
  return `${instance}\n${boot}`;
}
