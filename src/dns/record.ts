import type { Seconds } from "../lib/clock.ts";
import { CLASS_IN } from "./constants.ts";
import { relativeLength } from "./name.ts";

/**
 * A record as bytes, but for the pointers to the zone's name: where that stands in a message depends on the question
 * (RFC 1035 section 4.1.4). `pointers` are the places of those.
 */
export interface RecordTemplate {
  readonly bytes: Uint8Array;
  readonly pointers: readonly number[];
}

/** A part of RDATA: bytes as they are, or a name in wire form, which is shortened. */
export type DataPart = Uint8Array | { readonly name: Uint8Array };

/** What a record is made of; the owner in wire form. */
export interface RecordParts {
  readonly owner: Uint8Array;
  readonly type: number;
  readonly ttl: Seconds;
  readonly data: readonly DataPart[];
}

/** Lays out a record of the Internet class; names that lie in the zone end in a pointer. */
export function recordTemplate(zone: Uint8Array, { owner, type, ttl, data }: RecordParts): RecordTemplate {
  const bytes: number[] = [];
  const pointers: number[] = [];
  const putName = (name: Uint8Array): void => {
    const relative = relativeLength(name, name.length, zone);
    bytes.push(...(relative < 0 ? name : name.subarray(0, relative)));
    if (relative < 0) return;
    pointers.push(bytes.length);
    bytes.push(0, 0);
  };
  putName(owner);
  bytes.push(type >> 8, type & 0xff, CLASS_IN >> 8, CLASS_IN & 0xff);
  bytes.push(ttl >>> 24, (ttl >>> 16) & 0xff, (ttl >>> 8) & 0xff, ttl & 0xff, 0, 0);
  const start = bytes.length;
  for (const part of data) {
    if ("name" in part) putName(part.name);
    else bytes.push(...part);
  }
  bytes[start - 2] = (bytes.length - start) >> 8;
  bytes[start - 1] = (bytes.length - start) & 0xff;
  return { bytes: Uint8Array.from(bytes), pointers };
}

/** Writes the record at `at`, the zone's name standing at `zoneAt` of the message; returns what follows. */
export function writeRecord(out: Uint8Array, at: number, record: RecordTemplate, zoneAt: number): number {
  const { bytes, pointers } = record;
  out.set(bytes, at);
  for (const place of pointers) {
    out[at + place] = 0xc0 | (zoneAt >> 8);
    out[at + place + 1] = zoneAt & 0xff;
  }
  return at + bytes.length;
}
