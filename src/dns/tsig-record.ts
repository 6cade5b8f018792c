import type { Instant, Seconds } from "../lib/clock.ts";
import { CLASS_ANY, HEADER_LENGTH, TYPE } from "./constants.ts";
import { MalformedMessage, nameEnd, readName } from "./wire-name.ts";

/** What the error field of a TSIG record says (RFC 8945 section 3). */
export const TSIG_ERROR = { BADSIG: 16, BADKEY: 17, BADTIME: 18 } as const;

/** A TSIG record as it stands in a message (RFC 8945 section 4.2), nothing of it proven yet. */
export interface TsigRecord {
  /** Name of the key: wire form, lower case. */
  readonly keyName: Uint8Array;
  /** Name of the algorithm: wire form, lower case. */
  readonly algorithm: Uint8Array;
  /** When it was signed, in whole seconds since 1970, 48 bits. */
  readonly time: Seconds;
  readonly fudge: Seconds;
  readonly mac: Uint8Array;
  /** Id of the message as it was signed. */
  readonly originalId: number;
  /** 0, or one of `TSIG_ERROR`. */
  readonly error: number;
  /** Other data: with BADTIME, the server's time. */
  readonly other: Uint8Array;
  /** Where the record begins in its message. */
  readonly start: number;
}

/** The TSIG record of a message, if there is one. @throws MalformedMessage also for one that is not the last record (RFC 8945 section 5.1) */
export function readTsig(message: Uint8Array): TsigRecord | undefined {
  if (message.length < HEADER_LENGTH) throw new MalformedMessage(`${message.length} bytes are shorter than a header`);
  const view = viewOf(message);
  let at = HEADER_LENGTH;
  for (let left = view.getUint16(4); left > 0; left--) at = nameEnd(message, at) + 4;
  const additionals = view.getUint16(10);
  for (let left = view.getUint16(6) + view.getUint16(8) + additionals; left > 0; left--) {
    const fixed = nameEnd(message, at);
    const end = recordEnd(view, fixed);
    if (view.getUint16(fixed) === TYPE.TSIG) {
      if (left > 1 || additionals === 0 || end !== message.length) throw new MalformedMessage("TSIG is not the last record");
      return parse(message, view, at, fixed, end);
    }
    at = end;
  }
  if (at !== message.length) throw new MalformedMessage("it does not end where its last record does");
  return undefined;
}

/** The other data of BADTIME, or `undefined` where there is none (RFC 8945 section 5.2.3). */
export function serverTimeOf({ error, other }: TsigRecord): Instant | undefined {
  return error === TSIG_ERROR.BADTIME && other.length === 6 ? uint48(viewOf(other), 0) * 1000 : undefined;
}

/** A 48-bit number, network byte order. */
function uint48(view: DataView, at: number): number {
  return view.getUint16(at) * 2 ** 32 + view.getUint32(at + 2);
}

/** The bytes as a view of numbers. */
export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function recordEnd(view: DataView, fixed: number): number {
  const end = fixed + 10 > view.byteLength ? Number.POSITIVE_INFINITY : fixed + 10 + view.getUint16(fixed + 8);
  if (end > view.byteLength) throw new MalformedMessage("it ends in the middle of a record");
  return end;
}

function parse(message: Uint8Array, view: DataView, start: number, fixed: number, end: number): TsigRecord {
  if (view.getUint16(fixed + 2) !== CLASS_ANY || view.getUint32(fixed + 4) !== 0) {
    throw new MalformedMessage("TSIG has another class than ANY, or a TTL");
  }
  const { name: algorithm, end: at } = readName(message, fixed + 10);
  const need = (length: number): void => {
    if (length > end) throw new MalformedMessage("TSIG is shorter than what it holds");
  };
  need(at + 10);
  const macEnd = at + 10 + view.getUint16(at + 8);
  need(macEnd + 6);
  const otherEnd = macEnd + 6 + view.getUint16(macEnd + 4);
  if (otherEnd !== end) throw new MalformedMessage("TSIG is longer or shorter than what it holds");
  return {
    keyName: readName(message, start).name,
    algorithm,
    time: uint48(view, at),
    fudge: view.getUint16(at + 6),
    mac: message.subarray(at + 10, macEnd),
    originalId: view.getUint16(macEnd),
    error: view.getUint16(macEnd + 2),
    other: message.subarray(macEnd + 6, otherEnd),
    start,
  };
}
