import { Token, Tokenizer, Type } from "cborg";
import { MalformedContent } from "./errors.ts";
import type { PlainData } from "./typed-value.ts";

const OPTIONS = { allowBigInt: true, allowUndefined: false, retainStringBytes: true };
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Tags of RFC 8949 that make of bytes or arrays a number nobody sends here. */
const BIG_NUMBERS: ReadonlySet<unknown> = new Set([2, 3, 5]);
const DECIMAL_FRACTION = 4;

/** First bytes of byte and text strings that come in chunks. */
const CHUNKED: Readonly<Record<number, Type>> = { 95: Type.bytes, 127: Type.string };

/**
 * Reads CBOR item by item, so that whoever calls decides how deep it may nest. Lengths may be definite or not.
 * Whatever is wrong is a {@link MalformedContent}.
 */
export class CborReader {
  #bytes: Uint8Array;
  #tokens: Tokenizer;
  readonly #format: string;

  /** @param format the name of the format, for errors */
  constructor(payload: Uint8Array, format: string) {
    this.#bytes = payload;
    this.#tokens = new Tokenizer(payload, OPTIONS);
    this.#format = format;
  }

  /** The head of the next item, whatever it is. */
  next(): Token {
    if (this.#tokens.done()) throw this.problem("ends too early");
    const type = CHUNKED[this.#bytes[this.#tokens.pos()] ?? 0];
    if (type !== undefined) return this.#chunks(type);
    try {
      return this.#tokens.next();
    } catch (cause) {
      throw new MalformedContent(`${this.#format}: not well-formed CBOR`, { cause });
    }
  }

  /** A string in chunks, which cborg does not read; Anjay Lite writes those. */
  #chunks(type: Type): Token {
    this.#bytes = this.#bytes.subarray(this.#tokens.pos() + 1);
    this.#tokens = new Tokenizer(this.#bytes, OPTIONS);
    const parts: Uint8Array[] = [];
    for (;;) {
      if (CHUNKED[this.#bytes[this.#tokens.pos()] ?? 0] !== undefined) throw this.problem("chunks of a string stand in a chunk");
      const chunk = this.next();
      if (Type.equals(chunk.type, Type.break)) break;
      if (!Type.equals(chunk.type, type)) throw this.problem("a chunk of a string is of another type");
      parts.push(bytesOf(chunk));
    }
    return new Token(type, Buffer.concat(parts));
  }

  /** Calls `item` with the head of each item of the array, or of each key of the map, that `head` opens. */
  each(head: Token, item: (first: Token) => void): void {
    const count = Number(head.value);
    for (let read = 0; read < count; read += 1) {
      const first = this.next();
      if (Type.equals(first.type, Type.break)) {
        if (count === Number.POSITIVE_INFINITY) return;
        throw this.problem("an array or map is shorter than it says");
      }
      item(first);
    }
  }

  /**
   * The number, string, boolean or bytes that `head` begins. Tags are passed over (RFC 8949 section 3.4), but for
   * decimal fractions, which RFC 8428 section 6 allows.
   * @param where the item stands, for errors
   */
  scalar(head: Token, where: string): PlainData {
    let token = head;
    while (Type.equals(token.type, Type.tag)) {
      if (BIG_NUMBERS.has(token.value)) throw this.problem(`${where} is a number of a kind that is not supported`);
      const decimal = token.value === DECIMAL_FRACTION;
      token = this.next();
      if (decimal) return this.#decimalFraction(token, where);
    }
    if (Type.equals(token.type, Type.string)) return this.text(token, where);
    if (Type.equals(token.type, Type.bytes)) return new Uint8Array(bytesOf(token));
    if (Type.equals(token.type, Type.true)) return true;
    if (Type.equals(token.type, Type.false)) return false;
    if (isInteger(token) || Type.equals(token.type, Type.float)) return token.value as number | bigint;
    throw this.problem(`${where} is not a plain value`);
  }

  /** A text, which must be UTF-8. */
  text(token: Token, where: string): string {
    try {
      return utf8.decode(bytesOf(token));
    } catch (cause) {
      throw new MalformedContent(`${this.#format}: ${where} is not UTF-8`, { cause });
    }
  }

  #decimalFraction(head: Token, where: string): number {
    const parts: (number | bigint)[] = [];
    if (Type.equals(head.type, Type.array)) {
      this.each(head, (token) => {
        if (!isInteger(token) || parts.length === 2) throw this.problem(`${where} is not a decimal fraction`);
        parts.push(token.value as number | bigint);
      });
    }
    const [exponent, mantissa] = parts;
    if (exponent === undefined || mantissa === undefined) throw this.problem(`${where} is not a decimal fraction`);
    return Number(`${mantissa}e${exponent}`);
  }

  /** Makes sure that nothing follows. */
  end(): void {
    if (!this.#tokens.done()) throw this.problem("something follows the end");
  }

  problem(why: string): MalformedContent {
    return new MalformedContent(`${this.#format}: ${why}`);
  }
}

/** What a byte or text string holds. cborg keeps the bytes of a text, but for an empty one; its string hides what is not UTF-8. */
function bytesOf(token: Token): Uint8Array {
  return token.byteValue ?? Buffer.from(token.value as Uint8Array | string);
}

function isInteger(token: Token): boolean {
  return Type.equals(token.type, Type.uint) || Type.equals(token.type, Type.negint);
}
