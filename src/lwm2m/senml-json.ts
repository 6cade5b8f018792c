import { utf8 } from "../lib/bytes.ts";
import { MalformedContent, UnencodableValue } from "./errors.ts";
import { toInteger } from "./node.ts";
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

const TOKEN =
  /[ \t\r\n]*(?:([[\]{}:,])|("[^"\\]*(?:\\.[^"\\]*)*")|(-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)|(true|false|null))[ \t\r\n]*/sy;
const MAX_NUMBER_LENGTH = 400;

type Token = { readonly mark: string } | { readonly value: Scalar };
type Scalar = string | number | bigint | boolean | null;

/**
 * Reads a pack: an array of flat objects. `JSON.parse` is not used for the whole, as it would round 64-bit
 * integers; and a reader that knows no nesting needs no bound for it.
 * @throws MalformedContent
 */
export function decodeSenmlJson(payload: Uint8Array): SenmlRecord[] {
  const next = tokens(payload);
  const records: SenmlRecord[] = [];
  expectMark(next(), "[");
  let token = next();
  if (isMark(token, "]")) return atEnd(next(), records);
  for (;;) {
    expectMark(token, "{");
    records.push(readRecord(next));
    token = next();
    if (isMark(token, "]")) return atEnd(next(), records);
    expectMark(token, ",");
    token = next();
  }
}

function readRecord(next: () => Token | undefined): SenmlRecord {
  const fields = new Map<string, Scalar>();
  let token = next();
  while (!isMark(token, "}")) {
    if (fields.size > 0) {
      expectMark(token, ",");
      token = next();
    }
    const key = token !== undefined && "value" in token ? token.value : undefined;
    if (typeof key !== "string") throw new MalformedContent("SenML JSON: a field needs a name");
    if (fields.has(key)) throw new MalformedContent(`SenML JSON: field "${key.slice(0, 20)}" is there twice`);
    expectMark(next(), ":");
    const value = next();
    if (value === undefined || "mark" in value)
      throw new MalformedContent(`SenML JSON: field "${key.slice(0, 20)}" has no plain value`);
    fields.set(key, value.value);
    token = next();
  }
  return toRecord(fields);
}

function toRecord(fields: ReadonlyMap<string, Scalar>): SenmlRecord {
  const record: { -readonly [K in keyof SenmlRecord]: SenmlRecord[K] } = {};
  for (const [key, value] of fields) {
    const wrong = (): MalformedContent => new MalformedContent(`SenML JSON: field "${key.slice(0, 20)}" has the wrong type`);
    if (key === "bn" || key === "n" || key === "vs" || key === "vlo") {
      if (typeof value !== "string") throw wrong();
      record[key] = value;
    } else if (key === "v") {
      if (typeof value !== "number" && typeof value !== "bigint") throw wrong();
      record.v = value;
    } else if (key === "vb") {
      if (typeof value !== "boolean") throw wrong();
      record.vb = value;
    } else if (key === "vd") {
      // RFC 8428 asks for the URL alphabet; OMA's own examples use the other one.
      if (typeof value !== "string" || !/^[A-Za-z0-9+/_-]*={0,2}$/.test(value)) throw wrong();
      record.vd = new Uint8Array(Buffer.from(value, "base64"));
    } else if (key === "bv" || key.endsWith("_") || (key === "bver" && !(Number(value) <= SENML_VERSION))) {
      // A base value, a must-understand label (RFC 8428, 4.4) or a later version would change what the rest means.
      throw new MalformedContent(`SenML JSON: field "${key.slice(0, 20)}" is not supported`);
    }
  }
  return record;
}

function tokens(payload: Uint8Array): () => Token | undefined {
  const text = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength).toString("utf8");
  const pattern = new RegExp(TOKEN);
  return () => {
    if (pattern.lastIndex === text.length) return undefined;
    const at = pattern.lastIndex;
    const match = pattern.exec(text);
    if (match === null) throw new MalformedContent(`SenML JSON: not JSON at character ${at}`);
    const [, mark, string, number, word] = match;
    if (mark !== undefined) return { mark };
    if (number !== undefined) return { value: toNumber(number) };
    try {
      return { value: JSON.parse(string ?? word ?? "") as Scalar };
    } catch (cause) {
      throw new MalformedContent(`SenML JSON: not JSON at character ${at}`, { cause });
    }
  };
}

function toNumber(text: string): number | bigint {
  if (text.length > MAX_NUMBER_LENGTH) throw new MalformedContent("SenML JSON: a number is too long");
  return text.length > 15 && /^-?\d+$/.test(text) ? toInteger(BigInt(text)) : Number(text);
}

function isMark(token: Token | undefined, mark: string): boolean {
  return token !== undefined && "mark" in token && token.mark === mark;
}

function expectMark(token: Token | undefined, mark: string): void {
  if (!isMark(token, mark)) throw new MalformedContent(`SenML JSON: expected "${mark}"`);
}

function atEnd(token: Token | undefined, records: SenmlRecord[]): SenmlRecord[] {
  if (token !== undefined) throw new MalformedContent("SenML JSON: something follows the pack");
  return records;
}
