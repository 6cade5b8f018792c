import { InvalidInput } from "../lib/errors.ts";

const QUOTE = '"';
const COMMA = ",";

/**
 * One record of a CSV file (RFC 4180), read line by line: a quoted field may go on over several. Spaces around an
 * unquoted field are not part of it.
 */
export class CsvRecord {
  readonly fields: string[] = [];
  /** What has been read of a quoted field whose end has not come yet. */
  #open: string | undefined;

  /**
   * Reads one more line of the record.
   * @returns whether the record is complete
   * @throws InvalidInput where a quote stands that RFC 4180 does not allow; the text is not repeated, as it may be a secret
   */
  add(line: string): boolean {
    let at = 0;
    if (this.#open !== undefined) this.#open += "\n";
    for (;;) {
      if (this.#open === undefined) {
        const next = line.indexOf(COMMA, at);
        const field = (next === -1 ? line.slice(at) : line.slice(at, next)).trim();
        if (!field.includes(QUOTE)) {
          this.fields.push(field);
          if (next === -1) return true;
          at = next + 1;
          continue;
        }
        if (!field.startsWith(QUOTE)) throw this.#misplaced("a quote stands inside a field that does not begin with one");
        this.#open = "";
        at = line.indexOf(QUOTE, at) + 1;
      }
      const closed = this.#readQuoted(line, at);
      if (closed === undefined) return false;
      const next = line.indexOf(COMMA, closed);
      if (line.slice(closed, next === -1 ? undefined : next).trim() !== "") throw this.#misplaced("text follows a closing quote");
      this.fields.push(this.#open);
      this.#open = undefined;
      if (next === -1) return true;
      at = next + 1;
    }
  }

  /** Appends to the open field up to its closing quote, and returns the place behind that; undefined if there is none. */
  #readQuoted(line: string, start: number): number | undefined {
    for (let at = start; ; ) {
      const quote = line.indexOf(QUOTE, at);
      this.#open += quote === -1 ? line.slice(at) : line.slice(at, quote);
      if (quote === -1) return undefined;
      if (line[quote + 1] !== QUOTE) return quote + 1;
      this.#open += QUOTE;
      at = quote + 2;
    }
  }

  #misplaced(problem: string): InvalidInput {
    return new InvalidInput(`field ${this.fields.length + 1}: ${problem}`);
  }
}
