import { fromHex, utf8 } from "../lib/bytes.ts";
import { errorText, InvalidInput } from "../lib/errors.ts";
import { ProfileMismatch } from "./errors.ts";
import { isInteger64, type ResourceType, type ResourceValue, toInteger } from "./node.ts";
import type { ResourceDefinition } from "./objects.ts";
import { MAX_ID } from "./path.ts";
import type { PlainValue, ValueSetting } from "./profile.ts";
import { readDer } from "./profile-key.ts";
import { fitsRange, rangeText } from "./range.ts";
import type { DeviceFacts, FreshKeys } from "./steps.ts";

/** A value of a profile: known now, or once the device is. */
export type ValueTemplate = { readonly type: ResourceType } & (
  | { readonly known: ResourceValue }
  | {
      /** @throws ProfileMismatch */
      fill(facts: Facts): ResourceValue;
    }
);

/** What values are filled in from. */
export interface Facts {
  readonly device: DeviceFacts;
  readonly freshKeys?: FreshKeys | undefined;
}

/** How the value of `{ KEY: value }` is to be read. */
type Notation = ResourceType | "hex" | "text" | "base64" | "der";
const NOTATIONS: readonly string[] = [
  ...["string", "integer", "unsigned", "float", "boolean", "time", "objlnk"],
  ...["hex", "text", "base64", "der"],
];

const PLACEHOLDER = /\{([A-Za-z][\w.-]*)\}/g;

/**
 * Makes a template of one value.
 * @param definition of the resource, if its object has one; it says the type and the range
 * @param where the resource's path, for the errors of {@link ValueTemplate}
 * @throws InvalidInput saying what is wrong, without the path and without the value
 */
export function valueTemplate(setting: ValueSetting, definition: ResourceDefinition | undefined, where: string): ValueTemplate {
  const [notation, plain] = notationOf(setting, definition?.type);
  const type = typeOf(notation);
  if (typeof plain !== "string") return { type, known: inRange(read(notation, plain), definition) };
  return textTemplate(plain, type, (text) => inRange(read(notation, text), definition), where);
}

/**
 * Makes a template of a text with placeholders.
 * @param type of the value it comes to
 * @param readText what the text means once they are filled in; throws InvalidInput
 * @param left placeholders that are none of ours and stay as they are
 * @throws InvalidInput as {@link valueTemplate}
 */
export function textTemplate(
  text: string,
  type: ResourceType,
  readText: (text: string) => ResourceValue,
  where: string,
  left: ReadonlySet<string> = NONE,
): ValueTemplate {
  if (!text.includes("{")) return { type, known: readText(text) };
  const parts = placeholders(text, left);
  if (!parts.some((part) => "fill" in part)) return { type, known: readText(text) };
  return {
    type,
    fill: ({ device }) => {
      let filled = "";
      for (const part of parts) filled += "fill" in part ? part.fill(device, where) : part.text;
      try {
        return readText(filled);
      } catch (error) {
        throw new ProfileMismatch(`${where}: the attributes of this device do not fit: ${errorText(error)}`);
      }
    },
  };
}

const NONE: ReadonlySet<string> = new Set();

/** The type of a setting's value and how it is noted, as {@link valueTemplate} takes it. @throws InvalidInput */
function notationOf(setting: ValueSetting, defined: ResourceType | undefined): [Notation, PlainValue] {
  if (typeof setting !== "object") return [defined ?? guess(setting), setting];
  const [[notation, plain] = ["", ""], ...rest] = Object.entries(setting);
  if (rest.length > 0 || !NOTATIONS.includes(notation)) {
    throw new InvalidInput(`expected { TYPE: value } with one of ${NOTATIONS.join(", ")}`);
  }
  const type = typeOf(notation as Notation);
  if (defined !== undefined && defined !== type) throw new InvalidInput(`is of type ${defined}, not ${type}`);
  return [notation as Notation, plain];
}

function typeOf(notation: Notation): ResourceType {
  return notation === "hex" || notation === "text" || notation === "base64" || notation === "der" ? "opaque" : notation;
}

/** For a resource nobody defined. */
function guess(plain: PlainValue): ResourceType {
  if (typeof plain === "number") return Number.isInteger(plain) ? "integer" : "float";
  return typeof plain === "boolean" ? "boolean" : "string";
}

type Part = { readonly text: string } | { fill(device: DeviceFacts, where: string): string };

function placeholders(template: string, left: ReadonlySet<string>): Part[] {
  const parts: Part[] = [];
  let at = 0;
  for (const match of template.matchAll(PLACEHOLDER)) {
    const name = match[1] ?? "";
    if (left.has(name)) continue;
    parts.push({ text: template.slice(at, match.index) });
    at = match.index + match[0].length;
    if (name === "endpoint") parts.push({ fill: (device) => device.endpoint });
    else if (/^attributes\../.test(name)) parts.push({ fill: attribute(name.slice("attributes.".length)) });
    else throw new InvalidInput(`unknown placeholder {${name}}; there are {endpoint} and {attributes.NAME}`);
  }
  parts.push({ text: template.slice(at) });
  return parts;
}

function attribute(name: string): (device: DeviceFacts, where: string) => string {
  return (device, where) => {
    const value = Object.hasOwn(device.attributes, name) ? device.attributes[name] : undefined;
    if (value === undefined || value === "")
      throw new ProfileMismatch(`${where}: needs the attribute "${name}", which this device has not`);
    return value;
  };
}

function read(notation: Notation, plain: PlainValue): ResourceValue {
  switch (notation) {
    case "string":
      if (typeof plain !== "string") throw new InvalidInput("must be a text; put it in quotes");
      return { type: "string", value: plain };
    case "integer":
    case "unsigned":
    case "time": {
      const value = typeof plain === "string" && /^-?\d{1,20}$/.test(plain) ? toInteger(BigInt(plain)) : plain;
      if (typeof value !== "number" && typeof value !== "bigint") throw new InvalidInput("must be a whole number");
      if (!isInteger64(notation, value))
        throw new InvalidInput(`must be a whole number of 64 bits${notation === "unsigned" ? ", not negative" : ""}`);
      return { type: notation, value: toInteger(value) };
    }
    case "float": {
      const value = typeof plain === "string" && plain.trim() !== "" ? Number(plain) : plain;
      if (typeof value !== "number" || !Number.isFinite(value)) throw new InvalidInput("must be a number");
      return { type: "float", value };
    }
    case "boolean":
      if (plain !== true && plain !== false && plain !== "true" && plain !== "false")
        throw new InvalidInput("must be true or false");
      return { type: "boolean", value: plain === true || plain === "true" };
    case "objlnk": {
      const [, objectId, instanceId] = /^(\d{1,5}):(\d{1,5})$/.exec(String(plain)) ?? [];
      if (!(Number(objectId) <= MAX_ID && Number(instanceId) <= MAX_ID))
        throw new InvalidInput('must be an object link such as "21:0"');
      return { type: "objlnk", value: { objectId: Number(objectId), instanceId: Number(instanceId) } };
    }
    default:
      return { type: "opaque", value: readOpaque(notation, plain) };
  }
}

function readOpaque(notation: Notation, plain: PlainValue): Uint8Array {
  // A key of digits only, unquoted, has become a number with other digits.
  if (typeof plain !== "string") throw new InvalidInput("must be bytes; write them as hex in quotes, or as { text: ... }");
  if (notation === "text") return utf8(plain);
  if (notation === "der") return readDer(plain);
  if (notation !== "base64") return fromHex(plain, "must be hex");
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(plain) || plain.length % 4 !== 0) throw new InvalidInput("is not base64");
  return new Uint8Array(Buffer.from(plain, "base64"));
}

function inRange(value: ResourceValue, definition: ResourceDefinition | undefined): ResourceValue {
  const range = definition?.range;
  if (range === undefined || fitsRange(value, range)) return value;
  if (value.type !== "string" && value.type !== "opaque")
    throw new InvalidInput(`is ${String(value.value)}; ${rangeText(range)} are allowed`);
  // Empty stands for "none" whatever the range; Leshan writes /0/x/7 so.
  if (value.value.length > 0) throw new InvalidInput(`has a length of ${value.value.length}; ${rangeText(range)} are allowed`);
  return value;
}
