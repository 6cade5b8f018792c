import { type Token, Type } from "cborg";
import { CborReader } from "./cbor-reader.ts";
import { encodeCbor } from "./cbor-writer.ts";
import { CBOR_LABELS, SENML_VERSION, type SenmlRecord } from "./senml-pack.ts";
import type { PlainData } from "./typed-value.ts";

/** The CBOR of a pack, Content-Format 112 (RFC 8428 section 6); fields in the order of the RFC's example, base name first. */
export function encodeSenmlCbor(records: Iterable<SenmlRecord>): Uint8Array {
  const pack: Map<number | string, unknown>[] = [];
  for (const record of records) {
    const fields = new Map<number | string, unknown>();
    if (record.bn !== undefined) fields.set(CBOR_LABELS.bn, record.bn);
    if (record.n !== undefined) fields.set(CBOR_LABELS.n, record.n);
    if (record.v !== undefined) fields.set(CBOR_LABELS.v, record.v);
    if (record.vs !== undefined) fields.set(CBOR_LABELS.vs, record.vs);
    if (record.vb !== undefined) fields.set(CBOR_LABELS.vb, record.vb);
    if (record.vd !== undefined) fields.set(CBOR_LABELS.vd, record.vd);
    if (record.vlo !== undefined) fields.set("vlo", record.vlo);
    pack.push(fields);
  }
  return encodeCbor(pack);
}

/**
 * Reads a pack: an array of maps of plain values.
 * @throws MalformedContent
 */
export function decodeSenmlCbor(payload: Uint8Array): SenmlRecord[] {
  const reader = new CborReader(payload, "SenML CBOR");
  const records: SenmlRecord[] = [];
  const head = reader.next();
  if (!Type.equals(head.type, Type.array)) throw reader.problem("a pack is an array");
  reader.each(head, (record) => {
    if (!Type.equals(record.type, Type.map)) throw reader.problem("a record is a map");
    records.push(readRecord(reader, record));
  });
  reader.end();
  return records;
}

type Key = number | bigint | string;

function readRecord(reader: CborReader, head: Token): SenmlRecord {
  const record: { -readonly [K in keyof SenmlRecord]: SenmlRecord[K] } = {};
  const keys = new Set<Key>();
  reader.each(head, (first) => {
    const key = reader.scalar(first, "a label");
    if (typeof key !== "number" && typeof key !== "bigint" && typeof key !== "string")
      throw reader.problem("a label is no number or text");
    const label = `field ${String(key).slice(0, 20)}`;
    if (keys.has(key)) throw reader.problem(`${label} is there twice`);
    keys.add(key);
    const value = reader.scalar(reader.next(), label);
    if (key === CBOR_LABELS.bn && typeof value === "string") record.bn = value;
    else if (key === CBOR_LABELS.n && typeof value === "string") record.n = value;
    else if (key === CBOR_LABELS.v && (typeof value === "number" || typeof value === "bigint")) record.v = value;
    else if (key === CBOR_LABELS.vs && typeof value === "string") record.vs = value;
    else if (key === CBOR_LABELS.vb && typeof value === "boolean") record.vb = value;
    else if (key === CBOR_LABELS.vd && value instanceof Uint8Array) record.vd = value;
    else if (key === "vlo" && typeof value === "string") record.vlo = value;
    else if (!mayIgnore(key, value)) throw reader.problem(`${label} has the wrong type or is not supported`);
  });
  return record;
}

const READ_LABELS: ReadonlySet<unknown> = new Set([...Object.values(CBOR_LABELS), "vlo"]);

function mayIgnore(key: Key, value: PlainData): boolean {
  if (key === CBOR_LABELS.bver) return Number(value) <= SENML_VERSION;
  // A must-understand label (RFC 8428, 4.4) would change what the rest means.
  return !READ_LABELS.has(key) && !(typeof key === "string" && key.endsWith("_"));
}
