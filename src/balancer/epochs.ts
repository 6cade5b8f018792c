import type { EpochView } from "../control/index.ts";
import type { Clock, Milliseconds } from "../lib/clock.ts";
import { formatDuration } from "../lib/duration.ts";
import { InvalidInput } from "../lib/errors.ts";
import type { Logger } from "../lib/log.ts";
import { epochAt, liveSteps, type Margins, type Recipe, type Step } from "../naming/index.ts";
import type { Device } from "./device.ts";
import type { Fleet } from "./fleet.ts";
import { type Publisher, stepKey } from "./publisher.ts";

/** When names change. All ms. */
export interface Timing {
  /** TTL of the names in DNS. */
  readonly ttl: Milliseconds;
  /** How far a device's clock may be off. */
  readonly skew: Milliseconds;
  /** How long before its start an epoch is published, and after its end withdrawn (B10). */
  readonly lead: Milliseconds;
  readonly grace: Milliseconds;
  /** Regenerate this often; absent: at each epoch of the recipe, or on events only. */
  readonly rotateEvery?: Milliseconds | undefined;
}

/**
 * Refuses a configuration that would change names faster than resolvers forget them (B6), or publish them too late (B10).
 * @throws InvalidInput with the numbers
 */
export function checkTiming(recipe: Recipe, timing: Timing): void {
  const { ttl, skew, lead, grace, rotateEvery } = timing;
  const epoch = epochAt(recipe, 0);
  const unit = epoch === undefined ? undefined : epoch.end - epoch.start;
  if (ttl <= 0) throw new InvalidInput("dns.ttl: must be more than 0; some resolvers keep a TTL of 0 for many minutes");
  if (rotateEvery !== undefined && rotateEvery < ttl) {
    throw new InvalidInput(
      `rotation.every: ${formatDuration(rotateEvery)} is shorter than dns.ttl, ${formatDuration(ttl)}: resolvers would give out names' old addresses`,
    );
  }
  if (unit !== undefined && unit < ttl) {
    throw new InvalidInput(
      `recipe: its time unit, ${formatDuration(unit)}, is shorter than dns.ttl, ${formatDuration(ttl)}: names would end before resolvers forget them`,
    );
  }
  if (lead < skew)
    throw new InvalidInput(`epochs.lead: ${formatDuration(lead)} is shorter than epochs.skew, ${formatDuration(skew)}`);
  if (grace < skew + ttl) {
    throw new InvalidInput(
      `epochs.grace: ${formatDuration(grace)} is shorter than epochs.skew and dns.ttl, ${formatDuration(skew + ttl)}`,
    );
  }
}

/** What the epochs work on. */
export interface EpochsOptions {
  readonly recipe: Recipe;
  readonly margins: Margins;
  readonly fleet: Fleet;
  readonly publisher: Publisher;
  readonly clock: Clock;
  readonly log: Logger;
  /** A device shares its name with one at that instance, and has to go there (N10). */
  readonly elsewhere: (device: Device, instance: number) => void;
}

/** Brings the names of each epoch into DNS ahead of it, and takes them out after it (B7, B10). */
export class Epochs {
  readonly #parts: EpochsOptions;
  /** The first live counter of a recipe that counts. */
  counter: number;
  #working: Promise<void> | undefined;

  constructor(parts: EpochsOptions, counter: number) {
    this.#parts = parts;
    this.counter = counter;
  }

  /** The steps that should be live now. */
  wanted(): readonly Step[] {
    const { recipe, margins, clock } = this.#parts;
    return liveSteps(recipe, clock.now(), margins, this.counter);
  }

  /** Whether DNS does not have what {@link wanted} says. */
  get due(): boolean {
    const wanted = this.wanted().map(stepKey);
    const live = this.#parts.publisher.steps.map(stepKey);
    return wanted.length !== live.length || wanted.some((key) => !live.includes(key));
  }

  /**
   * Brings up and takes down what is due; a call while one is under way is the same call.
   * @param entitled which devices get names of a new epoch: those that have not commenced (B7)
   */
  follow(entitled: (device: Device) => boolean): Promise<void> {
    this.#working ??= this.#follow(entitled).finally(() => {
      this.#working = undefined;
    });
    return this.#working;
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

  async #follow(entitled: (device: Device) => boolean): Promise<void> {
    const { publisher, fleet, log, elsewhere } = this.#parts;
    const wanted = this.wanted();
    const keys = new Set(wanted.map(stepKey));
    const live = publisher.steps;
    for (const step of wanted) {
      if (live.some((other) => stepKey(other) === stepKey(step))) continue;
      await publisher.bringUp(step, fleet.rows, entitled, elsewhere);
      log.info({ step, names: publisher.namesIn(step), collisions: publisher.collisions }, "names of an epoch are live");
    }
    for (const step of live) {
      if (keys.has(stepKey(step))) continue;
      publisher.takeDown(step, fleet.commenced);
      log.info({ step }, "names of an epoch are withdrawn");
    }
  }
}
