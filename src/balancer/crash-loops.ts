/** So many different devices failing in a row make a crash loop. */
const IN_A_ROW = 3;

interface Row {
  /** The cause by device. */
  readonly causes: Map<string, string>;
  reported: boolean;
}

/** Counts failures in a row on each instance: of different devices, with no completion between. */
export class CrashLoops {
  readonly #rows: Map<number, Row> = new Map();

  /**
   * A device's session failed, or `device` stands for a restart with sessions in progress.
   * @returns the causes when these are enough, once for each row
   */
  failed(instance: number, device: string, cause: string): readonly string[] | undefined {
    const row = this.#rows.get(instance) ?? { causes: new Map<string, string>(), reported: false };
    this.#rows.set(instance, row);
    if (row.reported) return undefined;
    row.causes.set(device, cause);
    if (row.causes.size < IN_A_ROW) return undefined;
    row.reported = true;
    return [...row.causes.values()];
  }

  /** Ends the row. */
  completed(instance: number): void {
    this.#rows.delete(instance);
  }
}
