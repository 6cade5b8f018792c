import { isUtf8 } from "node:buffer";
import { InvalidInput } from "../lib/errors.ts";

/** Longest line, and longest CSV record over several lines. A device takes a few hundred bytes. */
export const MAX_RECORD_BYTES = 65_536;

const LINE_FEED = 10;
const CARRIAGE_RETURN = 13;
const BYTE_ORDER_MARK = Buffer.from([0xef, 0xbb, 0xbf]);

/** One line of a text file, without its line break. */
export interface Line {
  /** Counted from 1. */
  readonly number: number;
  /** Undefined if its bytes are not UTF-8. */
  readonly text: string | undefined;
  /** Bytes of the file up to and including this line. */
  readonly end: number;
}

/**
 * Cuts a byte stream into lines, broken by LF or CR LF, in memory bounded by a chunk and a line. A byte order mark is dropped.
 * @throws InvalidInput for a line of more than {@link MAX_RECORD_BYTES}, which ends the reading
 */
export async function* readLines(stream: AsyncIterable<Uint8Array>): AsyncGenerator<Line> {
  let rest = Buffer.alloc(0);
  let number = 0;
  let end = 0;
  const lineOf = (bytes: Buffer, terminator: number): Line => {
    number++;
    end += bytes.byteLength + terminator;
    if (bytes.byteLength > MAX_RECORD_BYTES) throw tooLong(number);
    return { number, text: textOf(bytes, number === 1), end };
  };
  for await (const chunk of stream) {
    const bytes = rest.byteLength === 0 ? Buffer.from(chunk) : Buffer.concat([rest, chunk]);
    let start = 0;
    // What is left of the last chunk holds no line feed, so it is not searched again.
    for (let at = bytes.indexOf(LINE_FEED, rest.byteLength); at !== -1; at = bytes.indexOf(LINE_FEED, start)) {
      yield lineOf(bytes.subarray(start, at), 1);
      start = at + 1;
    }
    rest = bytes.subarray(start);
    if (rest.byteLength > MAX_RECORD_BYTES) throw tooLong(number + 1);
  }
  if (rest.byteLength > 0) yield lineOf(rest, 0);
}

function textOf(bytes: Buffer, isFirst: boolean): string | undefined {
  const start = isFirst && bytes.subarray(0, BYTE_ORDER_MARK.byteLength).equals(BYTE_ORDER_MARK) ? BYTE_ORDER_MARK.byteLength : 0;
  const line = bytes.subarray(start, bytes.at(-1) === CARRIAGE_RETURN ? -1 : undefined);
  return isUtf8(line) ? line.toString("utf8") : undefined;
}

function tooLong(number: number): InvalidInput {
  return new InvalidInput(`line ${number} is longer than ${MAX_RECORD_BYTES} bytes; this does not look like a list of devices`);
}
