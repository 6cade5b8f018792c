import { CLASS_IN, FLAG, HEADER_LENGTH, TYPE } from "./constants.ts";
import type { NameState } from "./name-states.ts";
import { type RecordTemplate, writeRecord } from "./record.ts";
import type { Zone } from "./zone.ts";

/** The largest message of a transfer that every secondary takes: Knot makes none larger itself. */
const LARGEST = 0x4000;
/** Bytes that are left in each message for its signature. */
const TSIG_ROOM = 400;
/** Both addresses of a name of the greatest length. */
const LARGEST_STATE = 2 * (255 + 2 + 10) + 4 + 16;
/** The zone's name stands in the question, which every message repeats. */
const ZONE_NAME = 0xc000 | HEADER_LENGTH;
/** SOA's serial and what follows it. */
const SERIAL_FROM_END = 20;

/** What a transfer answers. */
export interface TransferOptions {
  /** Of the request. */
  readonly id: number;
  readonly zone: Zone;
  /** What was asked for. */
  readonly type: typeof TYPE.AXFR | typeof TYPE.IXFR;
}

/**
 * Packs the records of a transfer into messages (RFC 5936 section 2.2), not signed yet. In which order they come is for the caller:
 * a zone is its SOA, all else, its SOA again; differences are the new SOA, per step the old SOA, what goes, the new SOA and
 * what comes, and the newest SOA again (RFC 1995 section 4). Each method returns a message that has become full, an array of
 * its own, to be sent before the next.
 */
export class TransferWriter {
  readonly #zone: Zone;
  readonly #bytes: Uint8Array = new Uint8Array(LARGEST - TSIG_ROOM);
  readonly #view: DataView = new DataView(this.#bytes.buffer);
  readonly #start: number;
  #at: number;
  #records = 0;

  constructor({ id, zone, type }: TransferOptions) {
    const view = this.#view;
    const nameEnd = HEADER_LENGTH + zone.wire.length;
    view.setUint16(0, id);
    view.setUint16(2, FLAG.RESPONSE | FLAG.AUTHORITATIVE);
    view.setUint16(4, 1);
    this.#bytes.set(zone.wire, HEADER_LENGTH);
    view.setUint16(nameEnd, type);
    view.setUint16(nameEnd + 2, CLASS_IN);
    this.#zone = zone;
    this.#start = nameEnd + 4;
    this.#at = this.#start;
  }

  /** Adds the zone's SOA, with a serial. */
  soa(serial: number): Uint8Array<ArrayBuffer> | undefined {
    const full = this.record(this.#zone.soa);
    this.#view.setUint32(this.#at - SERIAL_FROM_END, serial);
    return full;
  }

  /** Adds a record of the zone's own, such as NS. */
  record(template: RecordTemplate): Uint8Array<ArrayBuffer> | undefined {
    const full = this.#room(template.bytes.length);
    this.#at = writeRecord(this.#bytes, this.#at, template, HEADER_LENGTH);
    this.#records++;
    return full;
  }

  /** Adds a name's records. One without addresses has none. */
  addresses({ name, ipv4, ipv6 }: NameState): Uint8Array<ArrayBuffer> | undefined {
    const full = this.#room(LARGEST_STATE);
    if (ipv4 !== undefined) this.#address(name, TYPE.A, ipv4);
    if (ipv6 !== undefined) this.#address(name, TYPE.AAAA, ipv6);
    return full;
  }

  /** The message that has not become full, if there is one. */
  finish(): Uint8Array<ArrayBuffer> | undefined {
    if (this.#records === 0) return undefined;
    this.#view.setUint16(6, this.#records);
    const message = this.#bytes.slice(0, this.#at) as Uint8Array<ArrayBuffer>;
    this.#at = this.#start;
    this.#records = 0;
    return message;
  }

  #room(length: number): Uint8Array<ArrayBuffer> | undefined {
    return this.#at + length > this.#bytes.length ? this.finish() : undefined;
  }

  #address(name: Uint8Array, type: number, address: Uint8Array): void {
    const bytes = this.#bytes;
    const ttl = this.#zone.ttl;
    let at = this.#at;
    for (let index = 0; index < name.length; index++) bytes[at++] = name[index] as number;
    bytes[at++] = ZONE_NAME >> 8;
    bytes[at++] = ZONE_NAME & 0xff;
    bytes[at++] = type >> 8;
    bytes[at++] = type & 0xff;
    bytes[at++] = CLASS_IN >> 8;
    bytes[at++] = CLASS_IN & 0xff;
    bytes[at++] = ttl >>> 24;
    bytes[at++] = ttl >>> 16;
    bytes[at++] = ttl >>> 8;
    bytes[at++] = ttl;
    bytes[at++] = 0;
    bytes[at++] = address.length;
    for (let index = 0; index < address.length; index++) bytes[at++] = address[index] as number;
    this.#at = at;
    this.#records++;
  }
}
