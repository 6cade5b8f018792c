import { RegistryHeld } from "../dns/index.ts";
import type { Instant, Milliseconds } from "../lib/clock.ts";

/** What a balancer published last, as it remembers it over a restart. */
export interface Published {
  /** The steps of the recipe whose names were live. */
  readonly steps: readonly string[];
  readonly names: number;
  /**
   * The share (0-1) of names that may be otherwise in the registry than in the database, as changes wait to be written to either:
   * a comparison by the next balancer will find that many different. Absent if it is none to speak of.
   */
  readonly unsettled?: number;
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
  #saving: Promise<void> | undefined;

  constructor(options: ComparisonBrakeOptions) {
    this.#options = options;
  }

  /**
   * The share of what a registry holds that a comparison may change: beside that of the brake what was on its way. Where an epoch
   * has changed, names are others, but not few.
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
    if (before === undefined) return brake;
    const { unsettled = 0 } = before;
    if (before.steps.length === now.length && now.every((step) => before.steps.includes(step)))
      return Math.min(1, brake + unsettled);
    if (before.names >= MEANINGFUL && names < (before.names * (1 - unsettled) * (1 - brake)) / EPOCHS) {
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
    this.#keep({ ...this.#before, steps: [...new Set([...before, ...steps])], names });
    await this.saveDue(now);
  }

  /**
   * So many names wait to be written. Nothing comes of it before something was published.
   * @returns whether that is so many more than was written down that {@link save} should be called before they are written
   */
  waiting(count: number): boolean {
    const before = this.#before;
    if (before === undefined) return false;
    const { unsettled: known = 0, steps, names } = before;
    const unsettled = names === 0 ? 0 : Math.min(1, count / names);
    // Half of what the brake lets through anyhow may change without having been written down.
    const half = this.#options.brake / 2;
    const isMore = unsettled > known + half;
    const isLess = unsettled < known - half || (unsettled === 0 && known > 0);
    if (isMore || isLess) this.#keep({ steps, names, unsettled });
    return isMore;
  }

  /** Writes down what is not yet, if that is not too soon after the last time. */
  async saveDue(now: Instant): Promise<void> {
    if (this.#unsaved === undefined || now - this.#saved < SAVE_EVERY) return;
    this.#saved = now;
    await this.save();
  }

  /** Writes down what is not yet. */
  async save(): Promise<void> {
    // One after the other: what is written down last has to be the latest.
    while (this.#saving !== undefined) await this.#saving.catch(() => {});
    const unsaved = this.#unsaved;
    if (unsaved === undefined) return;
    this.#saving = this.#options.store.save(unsaved).finally(() => {
      this.#saving = undefined;
    });
    await this.#saving;
    if (this.#unsaved === unsaved) this.#unsaved = undefined;
  }

  #keep({ steps, names, unsettled = 0 }: Published): void {
    this.#before = { steps, names, ...(unsettled > 0 ? { unsettled } : {}) };
    this.#unsaved = this.#before;
  }
}
