import type { Seconds } from "../lib/clock.ts";
import { CLASS_IN, HEADER_LENGTH, TYPE } from "./constants.ts";
import { MalformedMessage, readName } from "./wire-name.ts";

/** An entry of the question section; in an update, the zone (RFC 2136 section 2.3). */
export interface Question {
  /** Wire form, lower case, with the root's zero. */
  readonly name: Uint8Array;
  readonly type: number;
  readonly class: number;
}

/** A resource record (RFC 1035 section 4.1.3). */
export interface ResourceRecord extends Question {
  readonly ttl: Seconds;
  /**
   * RDATA. Names in NS, CNAME, SOA, PTR and MX stand whole and in lower case; all else is as it was sent, and a view of the
   * message. Empty in the records of an update that say that something is or is not there.
   */
  readonly data: Uint8Array;
}

/** A DNS message. In an update the sections are called prerequisites, updates and additional data (RFC 2136 section 2). */
export interface Message {
  readonly id: number;
  readonly opcode: number;
  /** With the upper bits that an OPT record carries (RFC 6891 section 6.1.3). */
  readonly rcode: number;
  /** Third and fourth byte of the header as one number; see `FLAG`. */
  readonly flags: number;
  readonly questions: readonly Question[];
  readonly answers: readonly ResourceRecord[];
  readonly authorities: readonly ResourceRecord[];
  readonly additionals: readonly ResourceRecord[];
}

/** SOA's serial, refresh, retry, expire and minimum (RFC 1035 section 3.3.13). */
const SOA_NUMBERS = 20;

/**
 * Reads a message of any kind. For tools and transfers; what answers queries reads them in place (`Query`).
 * @throws MalformedMessage for anything that is not exactly one message
 */
export function readMessage(bytes: Uint8Array): Message {
  if (bytes.length < HEADER_LENGTH) throw new MalformedMessage(`${bytes.length} bytes are shorter than a header`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const reader = new MessageReader(bytes, view);
  const flags = view.getUint16(2);
  const questions = reader.section(view.getUint16(4), () => reader.question());
  const answers = reader.section(view.getUint16(6), () => reader.record());
  const authorities = reader.section(view.getUint16(8), () => reader.record());
  const additionals = reader.section(view.getUint16(10), () => reader.record());
  if (reader.at !== bytes.length) throw new MalformedMessage(`${bytes.length - reader.at} bytes follow its end`);
  const upper = (additionals.find(({ type }) => type === TYPE.OPT)?.ttl ?? 0) >>> 24;
  const rcode = (upper << 4) | (flags & 0x0f);
  return { id: view.getUint16(0), opcode: (flags >> 11) & 0x0f, rcode, flags, questions, answers, authorities, additionals };
}

/** The serial in the data of a SOA record (RFC 1035 section 3.3.13). @throws MalformedMessage */
export function soaSerial({ type, data }: ResourceRecord): number {
  if (type !== TYPE.SOA || data.length < SOA_NUMBERS) throw new MalformedMessage("a SOA record is missing, or has no data");
  return new DataView(data.buffer, data.byteOffset + data.length - SOA_NUMBERS).getUint32(0);
}

class MessageReader {
  at: number = HEADER_LENGTH;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;

  constructor(bytes: Uint8Array, view: DataView) {
    this.#bytes = bytes;
    this.#view = view;
  }

  /** Counts that lie end with the bytes: nothing is laid out by them. */
  section<Entry>(count: number, read: () => Entry): Entry[] {
    const entries: Entry[] = [];
    for (let left = count; left > 0; left--) entries.push(read());
    return entries;
  }

  question(): Question {
    const { name, end } = readName(this.#bytes, this.at);
    this.#need(end + 4);
    this.at = end + 4;
    return { name, type: this.#view.getUint16(end), class: this.#view.getUint16(end + 2) };
  }

  record(): ResourceRecord {
    const { name, end } = readName(this.#bytes, this.at);
    this.#need(end + 10);
    const view = this.#view;
    const start = end + 10;
    const dataEnd = start + view.getUint16(end + 8);
    this.#need(dataEnd);
    const type = view.getUint16(end);
    const rrClass = view.getUint16(end + 2);
    this.at = dataEnd;
    return { name, type, class: rrClass, ttl: view.getUint32(end + 4), data: this.#data(type, rrClass, start, dataEnd) };
  }

  #data(type: number, rrClass: number, start: number, end: number): Uint8Array {
    if (start === end && rrClass !== CLASS_IN) return this.#bytes.subarray(start, end);
    switch (type) {
      case TYPE.NS:
      case TYPE.CNAME:
      case TYPE.PTR:
        return this.#names(start, start, 1, end, 0);
      case TYPE.MX:
        return this.#names(start, start + 2, 1, end, 0);
      case TYPE.SOA:
        return this.#names(start, start, 2, end, SOA_NUMBERS);
      default:
        return this.#bytes.subarray(start, end);
    }
  }

  /** Data that is bytes up to `namesAt`, then names, then `after` bytes more. */
  #names(start: number, namesAt: number, count: number, end: number, after: number): Uint8Array {
    const parts: Uint8Array[] = [this.#bytes.subarray(start, namesAt)];
    let at = namesAt;
    for (let index = 0; index < count; index++) {
      const read = readName(this.#bytes, at);
      parts.push(read.name);
      at = read.end;
    }
    if (at + after !== end) throw new MalformedMessage("the data of a record is longer or shorter than its length says");
    parts.push(this.#bytes.subarray(at, end));
    return new Uint8Array(Buffer.concat(parts));
  }

  #need(end: number): void {
    if (end > this.#bytes.length) throw new MalformedMessage("it ends in the middle of a record");
  }
}
