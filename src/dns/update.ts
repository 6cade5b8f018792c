import { utf8 } from "../lib/bytes.ts";
import type { Seconds } from "../lib/clock.ts";
import { InternalError } from "../lib/errors.ts";
import { CLASS_ANY, CLASS_IN, CLASS_NONE, HEADER_LENGTH, OPCODE, TYPE } from "./constants.ts";
import { LARGEST_MESSAGE } from "./message-builder.ts";
import type { NameState } from "./name-states.ts";

/** Bytes that are left for the signature: TSIG with the longest name, algorithm and MAC. */
const TSIG_ROOM = 400;
/** A pointer reaches so far (RFC 1035 section 4.1.4). */
const POINTER_REACH = 0x4000;
/** The zone's name stands in the zone section. */
const ZONE_NAME = 0xc000 | HEADER_LENGTH;
/** The most one name's change takes: two RRsets deleted, two records added, each with the whole name. */
const LARGEST_CHANGE = 4 * (255 + 10) + 4 + 16;
/** Longest piece of text (RFC 1035 section 3.3). */
const MAX_TEXT = 255;

/**
 * What must hold, or the server changes nothing (RFC 2136 section 2.4). Names are relative to the zone, as in `NameState`; the
 * zone's own is empty. `records`: those of the name and type are exactly these, one or more, in any order and with any TTL, else
 * NXRRSET. `rrset` and `no-rrset`: there are records of the type, or none (NXRRSET, YXRRSET). `name` and `no-name`: any at
 * all, or none (NXDOMAIN, YXDOMAIN).
 */
export type Prerequisite =
  | { readonly is: "records"; readonly name: Uint8Array; readonly type: number; readonly data: readonly Uint8Array[] }
  | { readonly is: "rrset" | "no-rrset"; readonly name: Uint8Array; readonly type: number }
  | { readonly is: "name" | "no-name"; readonly name: Uint8Array };

/** The state that a name is to be brought into. */
export interface NameChange extends NameState {
  /** What the server holds of it, if that is known: what is not there need not be deleted. */
  readonly held?: Pick<NameState, "ipv4" | "ipv6">;
}

/** One record that comes to its RRset, or goes from it; others of the name and type stay. */
export interface RecordChange {
  readonly does: "add" | "delete";
  /** Relative to the zone; the zone's own is empty. */
  readonly name: Uint8Array;
  readonly type: number;
  readonly data: Uint8Array;
  /** Of the whole RRset then (RFC 2181 section 5.2); of no account where it goes. */
  readonly ttl: Seconds;
}

/** What an update begins with. */
export interface UpdateOptions {
  readonly id: number;
  /** The zone's name in wire form. */
  readonly zone: Uint8Array;
  /** Of the addresses. */
  readonly ttl: Seconds;
  readonly prerequisites?: readonly Prerequisite[];
  /** Changes of single records, before those of the addresses. */
  readonly records?: readonly RecordChange[];
}

/**
 * Writes an update (RFC 2136), which a server carries out whole or not at all. Owner names are a label and a pointer to the
 * zone: a name's new address takes some 45 bytes, so 64 KiB hold more than 1,000 names.
 */
export class UpdateWriter {
  readonly #bytes: Uint8Array = new Uint8Array(LARGEST_MESSAGE - TSIG_ROOM);
  readonly #view: DataView = new DataView(this.#bytes.buffer);
  readonly #ttl: Seconds;
  #at: number = HEADER_LENGTH;
  #prerequisites = 0;
  #updates = 0;
  #names = 0;
  /** Where the name of the change at hand stands already, to be pointed to. */
  #ownerAt = 0;

  /** @throws InternalError if prerequisites and records alone do not fit */
  constructor({ id, zone, ttl, prerequisites = [], records = [] }: UpdateOptions) {
    this.#ttl = ttl;
    this.#view.setUint16(0, id);
    this.#view.setUint16(2, OPCODE.UPDATE << 11);
    this.#view.setUint16(4, 1);
    this.#put(zone);
    this.#uint16(TYPE.SOA);
    this.#uint16(CLASS_IN);
    for (const prerequisite of prerequisites) this.#prerequisite(prerequisite);
    for (const record of records) this.#change(record);
  }

  /** How many names it changes. */
  get names(): number {
    return this.#names;
  }

  /**
   * Adds a name's new state: its A and AAAA records are deleted, then those of the state added. Nothing else of the name is
   * touched, so that what others put there stays.
   * @returns false if there is no room; then nothing was added
   */
  add({ name, ipv4, ipv6, held }: NameChange): boolean {
    if (this.#at + LARGEST_CHANGE > this.#bytes.length) return false;
    this.#ownerAt = 0;
    // Also what is to be there is deleted first: an update whose answer was lost may have put another address there.
    if (held === undefined || held.ipv4 !== undefined || ipv4 !== undefined) this.#delete(name, TYPE.A);
    if (held === undefined || held.ipv6 !== undefined || ipv6 !== undefined) this.#delete(name, TYPE.AAAA);
    if (ipv4 !== undefined) this.#insert(name, TYPE.A, this.#ttl, ipv4);
    if (ipv6 !== undefined) this.#insert(name, TYPE.AAAA, this.#ttl, ipv6);
    this.#names++;
    return true;
  }

  /** The message, not signed yet; an array of its own. */
  finish(): Uint8Array<ArrayBuffer> {
    this.#view.setUint16(6, this.#prerequisites);
    this.#view.setUint16(8, this.#updates);
    return this.#bytes.slice(0, this.#at) as Uint8Array<ArrayBuffer>;
  }

  #prerequisite(condition: Prerequisite): void {
    this.#ownerAt = 0;
    if (condition.is === "records") {
      for (const data of condition.data) this.#record(condition.name, condition.type, CLASS_IN, 0, data);
      this.#prerequisites += condition.data.length;
      return;
    }
    const wanted = condition.is === "rrset" || condition.is === "name";
    const type = "type" in condition ? condition.type : TYPE.ANY;
    this.#record(condition.name, type, wanted ? CLASS_ANY : CLASS_NONE, 0, undefined);
    this.#prerequisites++;
  }

  /** Adds a record (RFC 2136 section 2.5.1), or deletes just this one (section 2.5.4). */
  #change({ does, name, type, data, ttl }: RecordChange): void {
    this.#ownerAt = 0;
    this.#record(name, type, does === "add" ? CLASS_IN : CLASS_NONE, does === "add" ? ttl : 0, data);
    this.#updates++;
  }

  /** Deletes an RRset (RFC 2136 section 2.5.2). */
  #delete(name: Uint8Array, type: number): void {
    this.#record(name, type, CLASS_ANY, 0, undefined);
    this.#updates++;
  }

  /** Adds a record to an RRset (RFC 2136 section 2.5.1). */
  #insert(name: Uint8Array, type: number, ttl: Seconds, data: Uint8Array): void {
    this.#record(name, type, CLASS_IN, ttl, data);
    this.#updates++;
  }

  #record(name: Uint8Array, type: number, rrClass: number, ttl: Seconds, data: Uint8Array | undefined): void {
    this.#owner(name);
    this.#uint16(type);
    this.#uint16(rrClass);
    this.#uint16(ttl >>> 16);
    this.#uint16(ttl & 0xffff);
    this.#uint16(data?.length ?? 0);
    if (data !== undefined) this.#put(data);
  }

  #owner(name: Uint8Array): void {
    const known = this.#ownerAt;
    if (known === 0) {
      if (this.#at < POINTER_REACH && name.length > 0) this.#ownerAt = this.#at;
      this.#put(name);
    }
    this.#uint16(known === 0 ? ZONE_NAME : 0xc000 | known);
  }

  #uint16(value: number): void {
    if (this.#at + 2 > this.#bytes.length) throw tooLong();
    this.#view.setUint16(this.#at, value);
    this.#at += 2;
  }

  #put(bytes: Uint8Array): void {
    if (this.#at + bytes.length > this.#bytes.length) throw tooLong();
    this.#bytes.set(bytes, this.#at);
    this.#at += bytes.length;
  }
}

/** One update of all the changes. @throws InternalError if they do not fit; `UpdateWriter` says when */
export function buildUpdate(options: UpdateOptions & { readonly changes: Iterable<NameChange> }): Uint8Array<ArrayBuffer> {
  const writer = new UpdateWriter(options);
  for (const change of options.changes) if (!writer.add(change)) throw tooLong();
  return writer.finish();
}

/** Data of a TXT record: UTF-8 in pieces of up to 255 bytes (RFC 1035 section 3.3.14). */
export function textData(text: string): Uint8Array {
  const bytes = utf8(text);
  const pieces: Uint8Array[] = [];
  for (let at = 0; at === 0 || at < bytes.length; at += MAX_TEXT) {
    const piece = bytes.subarray(at, at + MAX_TEXT);
    pieces.push(Uint8Array.of(piece.length), piece);
  }
  return new Uint8Array(Buffer.concat(pieces));
}

/** The text in the data of a TXT record, its pieces put together; `undefined` if the data is none. */
export function textOf(data: Uint8Array): string | undefined {
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < data.length; at += 1 + (data[at] as number)) {
    const piece = data.subarray(at + 1, at + 1 + (data[at] as number));
    if (piece.length !== data[at]) return undefined;
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString("utf8");
}

function tooLong(): InternalError {
  return new InternalError("the changes are too many for one DNS update");
}
