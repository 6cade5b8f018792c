import { decode, encode, Token, Tokenizer, Type } from "cborg";
import { MalformedContent } from "./errors.ts";
import { CBOR_LABELS, SENML_VERSION, type SenmlRecord } from "./senml-pack.ts";

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
  return new Uint8Array(encode(pack, ENCODE_OPTIONS));
}

const ENCODE_OPTIONS = {
  mapSorter: () => 0,
  // -0 is a float: CBOR has no negative zero among its integers.
  typeEncoders: { number: (value: number) => (Object.is(value, -0) ? [new Token(Type.float, value)] : null) },
};

const DECODE_OPTIONS = { strict: true, allowBigInt: true, useMaps: true, rejectDuplicateMapKeys: true, allowUndefined: false };

/** Lets one array of maps of plain values through and nothing nested deeper, so that no input can exhaust the stack. */
class FlatTokenizer extends Tokenizer {
  #inArray = false;
  /** How many keys and values of the map being read are still to come. */
  #left = 0;

  override next(): Token {
    const token = super.next();
    if (Type.equals(token.type, Type.array)) {
      if (this.#inArray) throw new MalformedContent("SenML CBOR: an array stands inside the pack");
      this.#inArray = true;
    } else if (Type.equals(token.type, Type.map)) {
      if (this.#left > 0) throw new MalformedContent("SenML CBOR: a map stands inside a record");
      this.#left = 2 * Number(token.value);
    } else if (Type.equals(token.type, Type.tag)) {
      throw new MalformedContent("SenML CBOR: a tag stands inside the pack");
    } else if (Type.equals(token.type, Type.break)) {
      this.#left = 0;
    } else if (this.#left > 0) {
      this.#left -= 1;
    }
    return token;
  }
}

/**
 * Reads a pack: an array of maps.
 * @throws MalformedContent
 */
export function decodeSenmlCbor(payload: Uint8Array): SenmlRecord[] {
  let pack: unknown;
  try {
    pack = decode(payload, { ...DECODE_OPTIONS, tokenizer: new FlatTokenizer(payload, DECODE_OPTIONS) });
  } catch (cause) {
    if (cause instanceof MalformedContent) throw cause;
    throw new MalformedContent("SenML CBOR: not well-formed CBOR", { cause });
  }
  if (!Array.isArray(pack)) throw new MalformedContent("SenML CBOR: a pack is an array");
  return pack.map(toRecord);
}

function toRecord(fields: unknown): SenmlRecord {
  if (!(fields instanceof Map)) throw new MalformedContent("SenML CBOR: a record is a map");
  const record: { -readonly [K in keyof SenmlRecord]: SenmlRecord[K] } = {};
  for (const [key, value] of fields as Map<unknown, unknown>) {
    if (key === CBOR_LABELS.bn && typeof value === "string") record.bn = value;
    else if (key === CBOR_LABELS.n && typeof value === "string") record.n = value;
    else if (key === CBOR_LABELS.v && (typeof value === "number" || typeof value === "bigint")) record.v = value;
    else if (key === CBOR_LABELS.vs && typeof value === "string") record.vs = value;
    else if (key === CBOR_LABELS.vb && typeof value === "boolean") record.vb = value;
    else if (key === CBOR_LABELS.vd && value instanceof Uint8Array) record.vd = new Uint8Array(value);
    else if (key === "vlo" && typeof value === "string") record.vlo = value;
    else if (!mayIgnore(key, value))
      throw new MalformedContent(`SenML CBOR: field ${String(key).slice(0, 20)} has the wrong type or is not supported`);
  }
  return record;
}

const READ_LABELS: ReadonlySet<unknown> = new Set([...Object.values(CBOR_LABELS), "vlo"]);

function mayIgnore(key: unknown, value: unknown): boolean {
  if (key === CBOR_LABELS.bver) return Number(value) <= SENML_VERSION;
  // A must-understand label (RFC 8428, 4.4) would change what the rest means.
  return !READ_LABELS.has(key) && !(typeof key === "string" && key.endsWith("_"));
}
