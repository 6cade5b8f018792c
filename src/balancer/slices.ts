/** What deriving and setting a name costs, in units of looking at one device. */
export const NAME_WORK = 50;
/** Work done at a stretch: below a millisecond, as a unit takes some 50 ns. */
const SLICE = 5000;

/** Cuts long work into slices, so that nothing else waits for all of it. */
export class Slices {
  readonly #breathe: () => Promise<void>;
  #left = SLICE;

  /** @param breathe lets others run */
  constructor(breathe: () => Promise<void>) {
    this.#breathe = breathe;
  }

  /** Accounts for work done; true when it is time to {@link rest}. */
  spend(units: number): boolean {
    this.#left -= units;
    return this.#left <= 0;
  }

  async rest(): Promise<void> {
    this.#left = SLICE;
    await this.#breathe();
  }
}
