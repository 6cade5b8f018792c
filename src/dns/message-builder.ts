import { InternalError } from "../lib/errors.ts";
import { CLASS_IN, HEADER_LENGTH } from "./constants.ts";
import type { Question, ResourceRecord } from "./message.ts";
import { relativeLength } from "./name.ts";

/** The largest message there is (RFC 1035 section 4.2.2). */
export const LARGEST_MESSAGE = 0xffff;
/** Pointers have 14 bits (RFC 1035 section 4.1.4). */
const QUESTION_NAME = 0xc000 | HEADER_LENGTH;
const COUNTS_AT = { answer: 6, authority: 8, additional: 10 } as const;

/** The first line of a message. */
export interface MessageHead {
  readonly id: number;
  readonly opcode?: number;
  readonly rcode?: number;
  /** Any of `FLAG`, together. */
  readonly flags?: number;
}

/**
 * Writes a message: the question, then the records of one section after the other. Owner names that end in the question's
 * name, which mostly is the zone's, point to it.
 */
export class MessageBuilder {
  #bytes: Uint8Array = new Uint8Array(512);
  #view: DataView = new DataView(this.#bytes.buffer);
  #at = HEADER_LENGTH;
  #zone: Uint8Array | undefined;

  constructor({ id, opcode = 0, rcode = 0, flags = 0 }: MessageHead) {
    this.#view.setUint16(0, id);
    this.#view.setUint16(2, flags | (opcode << 11) | rcode);
  }

  /** Bytes so far. */
  get length(): number {
    return this.#at;
  }

  /** Adds the only question; names in wire form. @throws InternalError for a second one, or behind a record */
  question(name: Uint8Array, type: number, rrClass: number = CLASS_IN): this {
    if (this.#at !== HEADER_LENGTH) throw new InternalError("the question stands first in a message, and alone");
    this.#name(name);
    this.#uint16(type);
    this.#uint16(rrClass);
    this.#zone = name;
    this.#count(4);
    return this;
  }

  /** Adds a record. Sections come in the order answer, authority, additional. @throws InternalError if it does not fit */
  record(section: keyof typeof COUNTS_AT, record: ResourceRecord): this {
    this.#name(record.name);
    this.#uint16(record.type);
    this.#uint16(record.class);
    this.#uint16(record.ttl >>> 16);
    this.#uint16(record.ttl & 0xffff);
    this.#uint16(record.data.length);
    this.#put(record.data);
    this.#count(COUNTS_AT[section]);
    return this;
  }

  /** The message; an array of its own. */
  finish(): Uint8Array<ArrayBuffer> {
    return this.#bytes.slice(0, this.#at) as Uint8Array<ArrayBuffer>;
  }

  #name(name: Uint8Array): void {
    const relative = this.#zone === undefined ? -1 : relativeLength(name, name.length, this.#zone);
    this.#put(relative < 0 ? name : name.subarray(0, relative));
    if (relative >= 0) this.#uint16(QUESTION_NAME);
  }

  #count(at: number): void {
    this.#view.setUint16(at, this.#view.getUint16(at) + 1);
  }

  #uint16(value: number): void {
    this.#room(2);
    this.#view.setUint16(this.#at, value);
    this.#at += 2;
  }

  #put(bytes: Uint8Array): void {
    this.#room(bytes.length);
    this.#bytes.set(bytes, this.#at);
    this.#at += bytes.length;
  }

  #room(length: number): void {
    const needed = this.#at + length;
    if (needed > LARGEST_MESSAGE) throw new InternalError(`a DNS message has ${LARGEST_MESSAGE} bytes at most`);
    if (needed <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, 2 * this.#bytes.length));
    grown.set(this.#bytes);
    this.#bytes = grown;
    this.#view = new DataView(grown.buffer);
  }
}

/** A query without recursion, such as for a zone's SOA (RFC 1035 section 4.1), or for a transfer of it (RFC 5936 section 2.1). */
export function buildQuery(id: number, { name, type, class: rrClass }: Question): Uint8Array<ArrayBuffer> {
  return new MessageBuilder({ id }).question(name, type, rrClass).finish();
}
