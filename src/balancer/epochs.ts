import type { EpochView } from "../control/index.ts";
import type { Clock, Instant } from "../lib/clock.ts";
import type { Logger } from "../lib/log.ts";
import { epochAt, liveEpochs, liveSteps, type Margins, type Recipe, type Step, usesCounter } from "../naming/index.ts";
import type { Device } from "./device.ts";
import type { Fleet } from "./fleet.ts";
import { type Publisher, stepKey } from "./publisher.ts";

/** What the epochs work on. */
export interface EpochsOptions {
  readonly recipe: Recipe;
  readonly margins: Margins;
  readonly fleet: Fleet;
  readonly publisher: Publisher;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Brings the names of each epoch into DNS ahead of it, and takes them out after it (B7, B10). */
export class Epochs {
  readonly #parts: EpochsOptions;
  #working: Promise<Map<Device, number>> | undefined;

  constructor(parts: EpochsOptions) {
    this.#parts = parts;
  }

  /** The steps that should be live now, oldest first; a counter in them counts from each device's lowest live one. */
  get wanted(): readonly Step[] {
    const { recipe, margins, clock } = this.#parts;
    return liveSteps(recipe, clock.now(), margins);
  }

  /** What DNS lacks of the steps that should be live, and what it has beyond them. */
  get due(): { readonly up: readonly Step[]; readonly down: readonly Step[] } {
    const { wanted } = this;
    const live = this.#parts.publisher.steps;
    return { up: without(wanted, live), down: without(live, wanted) };
  }

  /**
   * The next regeneration: when, by the time of day, if the recipe goes by the time; which steps it will bring, and which
   * will be gone by then. Where only a counter steps names, it is a rotation, as if no device
   * were at its limit: a name at the end of the look-ahead for the lowest one.
   */
  get next(): { readonly at: Instant | null; readonly up: readonly Step[]; readonly down: readonly Step[] } {
    const { recipe, margins, clock, publisher } = this.#parts;
    const newest = liveEpochs(recipe, clock.now(), margins).at(-1);
    const at = newest === undefined ? null : newest.end - margins.lead;
    const now = clock.now();
    if (at === null && usesCounter(recipe)) {
      const live = liveSteps(recipe, now, margins);
      const then = liveSteps(recipe, now, margins, 1);
      return { at, up: without(then, live), down: without(live, then) };
    }
    const then = liveSteps(recipe, at ?? now, margins);
    return { at, up: without(then, publisher.steps), down: without(publisher.steps, then) };
  }

  /**
   * Brings up and takes down what is due; a call while one is under way is the same call. Deriving runs beside other work.
   * @param entitled which devices get names of a new epoch: those that have not commenced (B7)
   * @returns devices that share a name with one at another instance, and that instance
   */
  follow(entitled: (device: Device) => boolean): Promise<Map<Device, number>> {
    this.#working ??= this.#follow(entitled).finally(() => {
      this.#working = undefined;
    });
    return this.#working;
  }

  /** Why a rotation leaves names of this recipe as they are: for recipes without a counter. */
  get unchanged(): string {
    const { recipe, clock } = this.#parts;
    const epoch = epochAt(recipe, clock.now());
    if (epoch === undefined) return "names stay as they are: the recipe makes them of nothing that changes";
    return `names stay as they are until the next epoch, at ${new Date(epoch.end).toISOString()}: the recipe makes them by the time alone`;
  }

  /** What an operator sees of the live epochs. */
  views(): EpochView[] {
    const { recipe, publisher } = this.#parts;
    return publisher.steps.map((step) => {
      const epoch = step.time === undefined ? undefined : epochAt(recipe, step.time * 1000);
      return {
        value: step.time ?? step.counter ?? 0,
        start: epoch?.start ?? null,
        end: epoch?.end ?? null,
        names: publisher.namesIn(step),
      };
    });
  }

  async #follow(entitled: (device: Device) => boolean): Promise<Map<Device, number>> {
    const { publisher, fleet, log } = this.#parts;
    const { up, down } = this.due;
    const strays = new Map<Device, number>();
    for (const step of up) {
      const expected = fleet.counts.pending + fleet.counts.commenced;
      for (const [device, instance] of await publisher.bringUp(step, fleet.rows, expected, entitled))
        strays.set(device, instance);
      log.info({ step, names: publisher.namesIn(step), collisions: publisher.collisions }, "names of an epoch are live");
    }
    for (const step of down) {
      await publisher.takeDown(step, fleet.commenced.keys());
      log.info({ step }, "names of an epoch are withdrawn");
    }
    return strays;
  }
}

function without(steps: readonly Step[], others: readonly Step[]): Step[] {
  const keys = new Set(others.map(stepKey));
  return steps.filter((step) => !keys.has(stepKey(step)));
}
