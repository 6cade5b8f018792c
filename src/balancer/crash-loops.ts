/** So many different devices failing in a row make a crash loop. */
const IN_A_ROW = 3;

/** Counts failures in a row on each instance: of different devices, with no completion between. */
export class CrashLoops {
  /** The causes by device. */
  readonly #rows: Map<number, Map<string, string>> = new Map();

  /**
   * A device's session failed, or `device` stands for a restart with sessions in progress.
   * @returns the causes when these are enough; the row then begins anew
   */
  failed(instance: number, device: string, cause: string): readonly string[] | undefined {
    const row = this.#rows.get(instance) ?? new Map<string, string>();
    this.#rows.set(instance, row);
    row.set(device, cause);
    if (row.size < IN_A_ROW) return undefined;
    this.#rows.delete(instance);
    return [...row.values()];
  }

  /** Ends the row. */
  completed(instance: number): void {
    this.#rows.delete(instance);
  }
}
