import { z } from "zod";
import { InvalidInput } from "../lib/errors.ts";
import { parseWith } from "../lib/schema.ts";
import { CsvRecord } from "./csv.ts";
import { type Line, MAX_RECORD_BYTES, readLines } from "./lines.ts";
import { type DeviceText, type ImportedDevice, parseDevice } from "./parse-device.ts";

export type ImportFormat = "csv" | "ndjson";

/** One row of an import file: a device, or what is wrong with it. Never holds a secret in `error`. */
export type ImportRow = {
  /** Where the row begins, counted from 1. */
  readonly line: number;
  /** Bytes of the file up to and including this row, for a progress bar. */
  readonly end: number;
} & ({ readonly device: ImportedDevice } | { readonly error: string });

/** A device as NDJSON has it: the key's name is that of the column. */
type FileDevice = Omit<DeviceText, "publicKey"> & { readonly public_key?: string | undefined };

const FileDeviceSchema: z.ZodType<FileDevice> = z.strictObject({
  endpoint: z.string(),
  mode: z.string().optional(),
  psk: z.string().optional(),
  public_key: z.string().optional(),
  identity: z.string().optional(),
  secret: z.string().optional(),
  profile: z.string().optional(),
  group: z.string().optional(),
  attributes: z.record(z.string(), z.string()).optional(),
});
/** An attribute may be a secret just as well; and a public key may be a private one by mistake. */
const SECRET_KEYS = ["psk", "public_key", "secret", "attributes"];
/** Columns that are not attributes, and the fields they hold. */
const COLUMNS: ReadonlyMap<string, Exclude<keyof DeviceText, "attributes">> = new Map([
  ["endpoint", "endpoint"],
  ["mode", "mode"],
  ["psk", "psk"],
  ["public_key", "publicKey"],
  ["identity", "identity"],
  ["secret", "secret"],
  ["profile", "profile"],
  ["group", "group"],
]);
/** Columns that say how a device proves itself; a file has one of them. */
const PROOF_COLUMNS: readonly string[] = ["psk", "public_key", "mode"];

/**
 * Reads devices from CSV or NDJSON (`docs/import.md`) as the stream comes, in constant memory. A bad row is told with
 * its line and reason, and reading goes on behind it.
 * @throws InvalidInput when the file as a whole is broken: no usable header, a line or a quoted field without end
 */
export async function* readDevices(stream: AsyncIterable<Uint8Array>, format: ImportFormat): AsyncGenerator<ImportRow> {
  yield* format === "csv" ? readCsv(readLines(stream)) : readNdjson(readLines(stream));
}

async function* readNdjson(lines: AsyncIterable<Line>): AsyncGenerator<ImportRow> {
  for await (const { number, text, end } of lines) {
    if (text?.trim() === "") continue;
    yield { line: number, end, ...attempt(() => ({ device: parseDevice(deviceOfObject(parseJson(text))) })) };
  }
}

async function* readCsv(lines: AsyncIterable<Line>): AsyncGenerator<ImportRow> {
  let columns: readonly string[] | undefined;
  for await (const { line, end, result } of readRecords(lines)) {
    if ("error" in result) {
      if (columns === undefined) throw new InvalidInput(`line ${line}: ${result.error}; the first line must name the columns`);
      yield { line, end, error: result.error };
    } else if (result.fields.some((field) => field !== "")) {
      const [header, { fields }] = [columns, result];
      if (header === undefined) columns = readHeader(fields, line);
      else yield { line, end, ...attempt(() => ({ device: parseDevice(deviceOfFields(header, fields)) })) };
    }
  }
  if (columns === undefined) throw new InvalidInput("the file is empty; its first line must name the columns, e.g. endpoint,psk");
}

interface CsvRow {
  readonly line: number;
  readonly end: number;
  readonly result: { readonly fields: readonly string[] } | { readonly error: string };
}

/** Puts lines together to records. After a bad record it goes on with the next line. */
async function* readRecords(lines: AsyncIterable<Line>): AsyncGenerator<CsvRow> {
  let open: { readonly record: CsvRecord; readonly line: number; bytes: number } | undefined;
  let last = 0;
  for await (const { number, text, end } of lines) {
    const { record, line, bytes } = open ?? { record: new CsvRecord(), line: number, bytes: 0 };
    const size = bytes + end - last;
    last = end;
    if (size > MAX_RECORD_BYTES) throw new InvalidInput(`line ${line}: a quote is not closed within ${MAX_RECORD_BYTES} bytes`);
    const result = attempt(() => ({ complete: record.add(checkUtf8(text)) }));
    open = "complete" in result && !result.complete ? { record, line, bytes: size } : undefined;
    if (open !== undefined) continue;
    yield { line, end, result: "error" in result ? { error: result.error + spanOf(line, number) } : record };
  }
  if (open !== undefined) throw new InvalidInput(`line ${open.line}: a quote is not closed before the end of the file`);
}

/** Says how far a bad quoted field went: the rows inside are lost with it. */
function spanOf(first: number, last: number): string {
  return first === last ? "" : ` (a quoted field took in lines ${first} to ${last})`;
}

function readHeader(fields: readonly string[], line: number): string[] {
  const columns = fields.map((name) => (COLUMNS.has(name.toLowerCase()) ? name.toLowerCase() : name));
  const fail = (problem: string): never => {
    throw new InvalidInput(`line ${line} must name the columns: ${problem}`);
  };
  const unnamed = columns.indexOf("");
  const double = columns.find((name, index) => columns.indexOf(name) !== index);
  if (unnamed !== -1) fail(`column ${unnamed + 1} has no name`);
  if (double !== undefined) fail(`"${double}" stands twice`);
  if (!columns.includes("endpoint")) {
    const hint = columns.length === 1 && /[;\t]/.test(columns[0] ?? "") ? "; fields are separated by commas" : "";
    fail(`"endpoint" is missing${hint}`);
  }
  if (!columns.some((name) => PROOF_COLUMNS.includes(name))) fail('"psk" is missing, or "public_key" or "mode"');
  return columns;
}

type Writable<T> = { -readonly [Key in keyof T]: T[Key] };

/** An empty field is the same as none. */
function deviceOfFields(columns: readonly string[], fields: readonly string[]): DeviceText {
  if (fields.length !== columns.length) {
    throw new InvalidInput(`the row has ${fields.length} fields, the header has ${columns.length}`);
  }
  const device: Writable<Omit<DeviceText, "attributes">> = { endpoint: "" };
  const attributes: [name: string, value: string][] = [];
  for (const [index, value] of fields.entries()) {
    if (value === "") continue;
    const column = columns[index] ?? "";
    const field = COLUMNS.get(column);
    if (field === undefined) attributes.push([column, value]);
    else device[field] = value;
  }
  return { ...device, attributes: Object.fromEntries(attributes) };
}

function deviceOfObject(input: unknown): DeviceText {
  const { public_key: publicKey, ...text } = parseWith(FileDeviceSchema, input, "device", SECRET_KEYS);
  return { ...text, publicKey };
}

function parseJson(text: string | undefined): unknown {
  const checked = checkUtf8(text);
  try {
    return JSON.parse(checked) as unknown;
  } catch {
    // The engine's message quotes the text, and with it the key.
    throw new InvalidInput("the line is not a JSON object");
  }
}

function checkUtf8(text: string | undefined): string {
  if (text === undefined) throw new InvalidInput("the line is not UTF-8 text");
  return text;
}

function attempt<T>(work: () => T): T | { readonly error: string } {
  try {
    return work();
  } catch (error) {
    if (error instanceof InvalidInput) return { error: error.message };
    throw error;
  }
}
