import { MalformedContent } from "./errors.ts";
import { toInteger } from "./node.ts";

const TOKEN =
  /[ \t\r\n]*(?:([[\]{}:,])|("[^"\\]*(?:\\.[^"\\]*)*")|(-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)|(true|false|null))[ \t\r\n]*/sy;
const MAX_NUMBER_LENGTH = 400;

/** A plain value of JSON. Whole numbers beyond those JavaScript holds exactly are a `bigint`. */
export type JsonScalar = string | number | bigint | boolean | null;

type Token = { readonly mark: string } | { readonly value: JsonScalar };

/**
 * Reads JSON piece by piece. `JSON.parse` would round 64-bit integers; and as whoever calls says what comes next,
 * nothing nests deeper than that. Whatever is wrong is a {@link MalformedContent}.
 */
export class JsonReader {
  readonly #text: string;
  readonly #pattern = new RegExp(TOKEN);
  readonly #format: string;
  #peeked: Token | undefined;

  /** @param format the name of the format, for errors */
  constructor(payload: Uint8Array, format: string) {
    this.#text = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength).toString("utf8");
    this.#format = format;
  }

  /** Reads an array, of which `item` reads each element. */
  array(item: () => void): void {
    this.#list("[", "]", item);
  }

  /** Reads an object, of which `field` reads the value of each name; no name comes twice. */
  object(field: (name: string) => void): void {
    const names = new Set<string>();
    this.#list("{", "}", () => {
      const name = this.scalar("a field needs a name");
      if (typeof name !== "string") throw this.problem("a field needs a name");
      if (names.has(name)) throw this.problem(`field "${name.slice(0, 20)}" is there twice`);
      names.add(name);
      this.#expect(":");
      field(name);
    });
  }

  /** The value that comes next, which must be plain, or else `why` says what is wrong. */
  scalar(why: string): JsonScalar {
    const token = this.#next();
    if (token === undefined || "mark" in token) throw this.problem(why);
    return token.value;
  }

  /** Makes sure that nothing follows. */
  end(): void {
    if (this.#next() !== undefined) throw this.problem("something follows the end");
  }

  problem(why: string): MalformedContent {
    return new MalformedContent(`${this.#format}: ${why}`);
  }

  #list(open: string, close: string, item: () => void): void {
    this.#expect(open);
    if (this.#skip(close)) return;
    do item();
    while (this.#skip(","));
    this.#expect(close);
  }

  #expect(mark: string): void {
    if (!this.#skip(mark)) throw this.problem(`expected "${mark}"`);
  }

  #skip(mark: string): boolean {
    const token = this.#next();
    if (token !== undefined && "mark" in token && token.mark === mark) return true;
    this.#peeked = token;
    return false;
  }

  #next(): Token | undefined {
    const peeked = this.#peeked;
    this.#peeked = undefined;
    const at = this.#pattern.lastIndex;
    if (peeked !== undefined || at === this.#text.length) return peeked;
    const match = this.#pattern.exec(this.#text);
    if (match === null) throw this.problem(`not JSON at character ${at}`);
    const [, mark, string, number, word] = match;
    if (mark !== undefined) return { mark };
    if (number !== undefined) return { value: this.#toNumber(number) };
    try {
      return { value: JSON.parse(string ?? word ?? "") as JsonScalar };
    } catch (cause) {
      throw new MalformedContent(`${this.#format}: not JSON at character ${at}`, { cause });
    }
  }

  #toNumber(text: string): number | bigint {
    if (text.length > MAX_NUMBER_LENGTH) throw this.problem("a number is too long");
    return text.length > 15 && /^-?\d+$/.test(text) ? toInteger(BigInt(text)) : Number(text);
  }
}
