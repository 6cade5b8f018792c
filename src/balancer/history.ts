import { createHash } from "node:crypto";
import type { PastBootstrap } from "../control/index.ts";
import type { Clock, Milliseconds } from "../lib/clock.ts";
import { type Recipe, stepAt } from "../naming/index.ts";
import { lowestLive } from "./counting.ts";
import type { Device, Progress } from "./device.ts";
import type { Instances } from "./instances.ts";
import type { Publisher } from "./publisher.ts";

/** What the history is made of. */
export interface HistoryOptions {
  readonly recipe: Recipe;
  readonly instances: Instances;
  readonly publisher: Publisher;
  readonly clock: Clock;
}

/** Tells which bootstraps end with a change of progress, and keeps them until they are stored with it. */
export class History {
  readonly #parts: HistoryOptions;
  /** The latest first. */
  readonly #waiting: Map<Device, readonly PastBootstrap[]> = new Map();

  constructor(parts: HistoryOptions) {
    this.#parts = parts;
  }

  /**
   * The bootstrap that is over with the change from `before` to `after`, if one is.
   * @param duration how long it took, if its instance told
   */
  ended(device: Device, before: Progress, after: Progress, duration?: Milliseconds): PastBootstrap | undefined {
    const outcome = outcomeOf(before, after);
    if (outcome === undefined) return undefined;
    const { recipe, instances, publisher, clock } = this.#parts;
    const now = clock.now();
    const last = outcome === "completed" ? after : before;
    const known = before.state === "commenced" && before.session === last.session ? before.commencedAt : null;
    const at = known ?? now - (duration ?? 0);
    // A completion has counted on from the counter that was used.
    const counter = outcome === "completed" ? Math.max(0, lowestLive(after) - 1) : lowestLive(before);
    const host = publisher.hostIn(device, stepAt(recipe, { instant: at, counter }));
    return {
      at,
      instance: instances.at(last.home)?.id ?? null,
      name: host === undefined ? null : createHash("sha256").update(host).digest("hex").slice(0, 12),
      duration: duration ?? Math.max(0, now - at),
      outcome,
    };
  }

  /** Keeps a bootstrap until it is stored. */
  keep(device: Device, past: PastBootstrap): void {
    this.#waiting.set(device, [past, ...this.waiting(device)]);
  }

  /** What of a device is not stored yet, the latest first. */
  waiting(device: Device): readonly PastBootstrap[] {
    return this.#waiting.get(device) ?? [];
  }

  /** What waited is stored, or to be forgotten. */
  done(device: Device): void {
    this.#waiting.delete(device);
  }
}

/** How the session ended that is over with this change. A completion may be news of a session that was given up. */
function outcomeOf(before: Progress, after: Progress): PastBootstrap["outcome"] | undefined {
  if (after.state === "completed") return before.state === "completed" ? undefined : "completed";
  if (before.state !== "commenced") return undefined;
  if (after.state === "pending") return after.failure ?? "internal";
  return after.session === before.session ? undefined : "cancelled";
}
