import { RegistryHeld } from "../dns/index.ts";
import type { Instant, Milliseconds } from "../lib/clock.ts";

/** What a balancer published last, as it remembers it over a restart. */
export interface Published {
  /** The steps of the recipe whose names were live. */
  readonly steps: readonly string[];
  readonly names: number;
}

/** Where that is kept. */
export interface PublishedStore {
  load(): Promise<Published | undefined>;
  save(published: Published): Promise<void>;
}

/** Options of {@link ComparisonBrake}. */
export interface ComparisonBrakeOptions {
  readonly store: PublishedStore;
  /** The steps of the recipe whose names should be live now. */
  readonly steps: () => readonly string[];
  /** The share (0-1) of live names that may change at one stroke outside an epoch's change. */
  readonly brake: number;
}

/** What was published is written down this often at most. */
const SAVE_EVERY: Milliseconds = 5000;
/** A share of fewer names means nothing. */
const MEANINGFUL = 10;
/** Around an epoch's change two epochs are live, between two changes one: names may halve. */
const EPOCHS = 2;

/** Knows what was published before, so that a balancer with a wrong database or recipe does not take everything away. */
export class ComparisonBrake {
  readonly #options: ComparisonBrakeOptions;
  #before: Published | undefined;
  #loaded = false;
  #saved: Instant = Number.NEGATIVE_INFINITY;
  #unsaved: Published | undefined;

  constructor(options: ComparisonBrakeOptions) {
    this.#options = options;
  }

  /**
   * The share of what a registry holds that a comparison may change. Where an epoch has changed, names are others, but not few.
   * @param names how many there should be
   * @param confirmed somebody has said that it may be all
   * @throws RegistryHeld
   */
  async limit(names: number, confirmed: boolean): Promise<number> {
    const { store, steps, brake } = this.#options;
    if (!this.#loaded) this.#before = await store.load();
    this.#loaded = true;
    if (confirmed) return 1;
    const before = this.#before;
    const now = steps();
    if (before === undefined || (before.steps.length === now.length && now.every((step) => before.steps.includes(step))))
      return brake;
    if (before.names >= MEANINGFUL && names < (before.names * (1 - brake)) / EPOCHS) {
      const plan = { added: names, changed: 0, removed: before.names, held: before.names };
      throw new RegistryHeld(
        `${before.names} names were published before, now there are ${names} of another epoch: that is less than an epoch's change explains`,
        plan,
      );
    }
    return 1;
  }

  /**
   * So many names are published now.
   * @param settled whether they are those of the present steps alone; if not, some are of those before
   */
  async published(names: number, now: Instant, settled: boolean): Promise<void> {
    const steps = this.#options.steps();
    const before = settled ? [] : (this.#before?.steps ?? []);
    this.#before = { steps: [...new Set([...before, ...steps])], names };
    this.#unsaved = this.#before;
    if (now - this.#saved < SAVE_EVERY) return;
    this.#saved = now;
    await this.save();
  }

  /** Writes down what is not yet. */
  async save(): Promise<void> {
    if (this.#unsaved === undefined) return;
    await this.#options.store.save(this.#unsaved);
    this.#unsaved = undefined;
  }
}
