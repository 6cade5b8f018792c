import type { Seconds } from "../lib/clock.ts";
import { CLASS_IN, DNSSEC_OK, EDNS_UDP_SIZE, FLAG, HEADER_LENGTH, TYPE } from "./constants.ts";
import { type RecordTemplate, writeRecord } from "./record.ts";

/** A pointer to the name in the question, which is the owner of most records (RFC 1035 section 4.1.4). */
const QUESTION_NAME = 0xc000 | HEADER_LENGTH;
const OPCODE_MASK = 0x7800;

/**
 * Writes one answer after the other into arrays of the caller's: `begin`, then the sections in their order, then `finish`.
 * Whoever calls makes sure that the array has room.
 */
export class AnswerWriter {
  #out: Uint8Array = new Uint8Array(0);
  #start = 0;
  #at = 0;
  #questionEnd = 0;
  /** Where the length of OPT's options stands. */
  #optionsLengthAt = 0;
  #answers = 0;
  #authorities = 0;
  #additionals = 0;

  /** Bytes written so far. */
  get length(): number {
    return this.#at - this.#start;
  }

  /**
   * Begins an answer to `query` at `out[start]` with its question, byte for byte: resolvers vary the case of letters and
   * compare them.
   * @param questionEnd where the question ends in `query`; the length of the header for an answer without one
   */
  begin(out: Uint8Array, start: number, query: Uint8Array, questionEnd: number): void {
    for (let index = 0; index < questionEnd; index++) out[start + index] = query[index] as number;
    this.#out = out;
    this.#start = start;
    this.#at = start + questionEnd;
    this.#questionEnd = this.#at;
    this.#answers = 0;
    this.#authorities = 0;
    this.#additionals = 0;
  }

  /** Adds an A or AAAA record of the name in the question to the answer section. */
  address(type: number, ttl: Seconds, address: Uint8Array): void {
    this.#uint16(QUESTION_NAME);
    this.#uint16(type);
    this.#uint16(CLASS_IN);
    this.#uint16(ttl >>> 16);
    this.#uint16(ttl & 0xffff);
    this.#uint16(address.length);
    for (let index = 0; index < address.length; index++) this.#out[this.#at++] = address[index] as number;
    this.#answers++;
  }

  /** Adds a record to the answer section. @param zoneAt where the zone's name stands, counted from the message's start */
  answer(record: RecordTemplate, zoneAt: number): void {
    this.#at = writeRecord(this.#out, this.#at, record, zoneAt);
    this.#answers++;
  }

  /** Adds a record to the authority section. */
  authority(record: RecordTemplate, zoneAt: number): void {
    this.#at = writeRecord(this.#out, this.#at, record, zoneAt);
    this.#authorities++;
  }

  /** Adds a record to the additional section. */
  additional(record: RecordTemplate, zoneAt: number): void {
    this.#at = writeRecord(this.#out, this.#at, record, zoneAt);
    this.#additionals++;
  }

  /** Takes everything behind the question away again. */
  cut(): void {
    this.#at = this.#questionEnd;
    this.#answers = 0;
    this.#authorities = 0;
    this.#additionals = 0;
  }

  /** Adds the OPT record (RFC 6891 section 6.1.2) that announces EDNS version 0 and this server's largest message over UDP. */
  opt(rcode: number, dnssecOk: boolean): void {
    this.#out[this.#at++] = 0;
    this.#uint16(TYPE.OPT);
    this.#uint16(EDNS_UDP_SIZE);
    this.#uint16((rcode >> 4) << 8);
    this.#uint16(dnssecOk ? DNSSEC_OK : 0);
    this.#optionsLengthAt = this.#at;
    this.#uint16(0);
    this.#additionals++;
  }

  /**
   * Adds an option to OPT, which has to be the last record (RFC 6891 section 6.1.2).
   * @returns where in the array the caller has to write its `length` bytes
   */
  option(code: number, length: number): number {
    this.#uint16(code);
    this.#uint16(length);
    const at = this.#at;
    this.#at += length;
    const all = this.#at - this.#optionsLengthAt - 2;
    this.#out[this.#optionsLengthAt] = all >> 8;
    this.#out[this.#optionsLengthAt + 1] = all & 0xff;
    return at;
  }

  /**
   * Writes the header (RFC 1035 section 4.1.1): id, operation and RD are the query's, the flags as given.
   * @returns the answer's length
   */
  finish(flags: number, rcode: number): number {
    const out = this.#out;
    const end = this.#at;
    const hasQuestion = this.#questionEnd > this.#start + HEADER_LENGTH;
    const echoed = ((out[this.#start + 2] as number) << 8) & (OPCODE_MASK | FLAG.RECURSION_DESIRED);
    this.#at = this.#start + 2;
    this.#uint16(FLAG.RESPONSE | echoed | flags | (rcode & 0x0f));
    this.#uint16(hasQuestion ? 1 : 0);
    this.#uint16(this.#answers);
    this.#uint16(this.#authorities);
    this.#uint16(this.#additionals);
    return end - this.#start;
  }

  #uint16(value: number): void {
    this.#out[this.#at] = value >> 8;
    this.#out[this.#at + 1] = value & 0xff;
    this.#at += 2;
  }
}
