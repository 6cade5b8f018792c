/** Writes a line for a script or a person who asked for it. */
export function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** Writes a line that says how things go; never in the way of what a script reads. */
export function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** A table in columns; numbers to the right. */
export function table(rows: readonly Readonly<Record<string, string | number>>[]): string {
  const columns = Object.keys(rows[0] ?? {});
  const cells = [columns, ...rows.map((row) => columns.map((column) => String(row[column] ?? "")))];
  const widths = columns.map((_, index) => Math.max(...cells.map((row) => (row[index] ?? "").length)));
  const right = columns.map((column) => rows.every((row) => typeof row[column] === "number"));
  const line = (row: readonly string[]): string =>
    row
      .map((cell, index) => (right[index] ? cell.padStart(widths[index] ?? 0) : cell.padEnd(widths[index] ?? 0)))
      .join("  ")
      .trimEnd();
  return cells.map(line).join("\n");
}

/** A bar that grows on a terminal; elsewhere one line each quarter. */
export class ProgressBar {
  readonly #what: string;
  readonly #total: number;
  #shown = -1;

  constructor(what: string, total: number) {
    this.#what = what;
    this.#total = total;
  }

  /** Shows how far it is. `note` stands behind the bar. */
  show(done: number, note: string = ""): void {
    const share = this.#total === 0 ? 1 : Math.min(1, done / this.#total);
    const steps = Math.floor(share * (process.stderr.isTTY ? 100 : 4));
    if (steps === this.#shown && done < this.#total) return;
    this.#shown = steps;
    const bar = "#".repeat(Math.round(share * 30)).padEnd(30, ".");
    const line = `${this.#what} [${bar}] ${Math.floor(share * 100)} %${note === "" ? "" : `  ${note}`}`;
    process.stderr.write(process.stderr.isTTY ? `\r${line}\x1b[K` : `${line}\n`);
  }

  /** Ends the line of the bar. */
  end(): void {
    if (process.stderr.isTTY) process.stderr.write("\n");
  }
}
