import type { Logger } from "../lib/log.ts";
import { collisionWarning, type Recipe } from "../naming/index.ts";
import type { Fleet } from "./fleet.ts";
import type { Publisher } from "./publisher.ts";

/** What the watch works on. */
export interface CollisionWatchOptions {
  readonly recipe: Recipe;
  readonly fleet: Fleet;
  readonly publisher: Publisher;
  readonly log: Logger;
}

/** Says when the recipe has too few names for the fleet (N10). */
export class CollisionWatch {
  readonly #parts: CollisionWatchOptions;
  #warnedAt = 0;

  constructor(parts: CollisionWatchOptions) {
    this.#parts = parts;
  }

  /** A sentence with the numbers, if there is something to say. */
  get warnings(): string[] {
    const { recipe, fleet } = this.#parts;
    const warning = collisionWarning(recipe, fleet.counts.pending);
    return warning === undefined ? [] : [warning];
  }

  /** Says it in the log, each time the fleet has grown twofold since the last time. */
  warn(): void {
    const { fleet, publisher, log } = this.#parts;
    if (fleet.counts.pending < 2 * this.#warnedAt) return;
    for (const warning of this.warnings) {
      this.#warnedAt = fleet.counts.pending;
      log.warn({ collisions: publisher.collisions }, warning);
    }
  }
}
