import { utf8 } from "../lib/bytes.ts";
import { type MalformedContent, UnencodableValue } from "./errors.ts";
import { JsonReader } from "./json-reader.ts";
import { SENML_VERSION, type SenmlRecord } from "./senml-pack.ts";

/** The JSON text of a pack, Content-Format 110 (RFC 8428 section 5). Integers are written with all their digits. */
export function encodeSenmlJson(records: Iterable<SenmlRecord>): Uint8Array {
  const texts: string[] = [];
  for (const record of records) {
    const fields: string[] = [];
    if (record.bn !== undefined) fields.push(`"bn":${JSON.stringify(record.bn)}`);
    if (record.n !== undefined) fields.push(`"n":${JSON.stringify(record.n)}`);
    if (record.v !== undefined) fields.push(`"v":${numberText(record.v)}`);
    if (record.vs !== undefined) fields.push(`"vs":${JSON.stringify(record.vs)}`);
    if (record.vb !== undefined) fields.push(`"vb":${record.vb}`);
    if (record.vd !== undefined) fields.push(`"vd":"${Buffer.from(record.vd).toString("base64url")}"`);
    if (record.vlo !== undefined) fields.push(`"vlo":${JSON.stringify(record.vlo)}`);
    texts.push(`{${fields.join(",")}}`);
  }
  return utf8(`[${texts.join(",")}]`);
}

function numberText(value: number | bigint): string {
  if (typeof value === "number" && !Number.isFinite(value))
    throw new UnencodableValue(`SenML JSON cannot hold the number ${value}`);
  return Object.is(value, -0) ? "-0" : value.toString();
}

/**
 * Reads a pack: an array of flat objects.
 * @throws MalformedContent
 */
export function decodeSenmlJson(payload: Uint8Array): SenmlRecord[] {
  const reader = new JsonReader(payload, "SenML JSON");
  const records: SenmlRecord[] = [];
  reader.array(() => {
    const record: MutableRecord = {};
    reader.object((name) => readField(reader, record, name));
    records.push(record);
  });
  reader.end();
  return records;
}

type MutableRecord = { -readonly [K in keyof SenmlRecord]: SenmlRecord[K] };

function readField(reader: JsonReader, record: MutableRecord, name: string): void {
  const label = `field "${name.slice(0, 20)}"`;
  const value = reader.scalar(`${label} has no plain value`);
  const wrong = (): MalformedContent => reader.problem(`${label} has the wrong type`);
  if (name === "bn" || name === "n" || name === "vs" || name === "vlo") {
    if (typeof value !== "string") throw wrong();
    record[name] = value;
  } else if (name === "v") {
    if (typeof value !== "number" && typeof value !== "bigint") throw wrong();
    record.v = value;
  } else if (name === "vb") {
    if (typeof value !== "boolean") throw wrong();
    record.vb = value;
  } else if (name === "vd") {
    // RFC 8428 asks for the URL alphabet; OMA's own examples use the other one.
    if (typeof value !== "string" || !/^[A-Za-z0-9+/_-]*={0,2}$/.test(value)) throw wrong();
    record.vd = new Uint8Array(Buffer.from(value, "base64"));
  } else if (name === "bv" || name.endsWith("_") || (name === "bver" && !(Number(value) <= SENML_VERSION))) {
    // A base value, a must-understand label (RFC 8428, 4.4) or a later version would change what the rest means.
    throw reader.problem(`${label} is not supported`);
  }
}
