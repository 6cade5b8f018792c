import { utf8 } from "../lib/bytes.ts";
import { CborReader } from "./cbor-reader.ts";
import { cborData, encodeCbor } from "./cbor-writer.ts";
import { ContentFormat } from "./content-format.ts";
import { MalformedContent, UnencodableValue, UnsupportedContentFormat } from "./errors.ts";
import { isInteger64, type ObjectInstance, type Resource, type ResourceType, type ResourceValue } from "./node.ts";
import type { ObjectDefinitions } from "./objects.ts";
import { formatPath, type Path } from "./path.ts";
import { linkText, typedValue } from "./typed-value.ts";

/**
 * The payload of the formats that hold one value and no name: text/plain, application/octet-stream and application/cbor
 * (LwM2M Core 1.1.1, 7.4.1 to 7.4.3). The path names a Resource with one value or a Resource Instance.
 * @throws UnsupportedContentFormat for another path, or for opaque and a value that is not; UnencodableValue
 */
export function encodeSingleValue(format: number, path: Path, instances: Iterable<ObjectInstance>): Uint8Array {
  if (path.length < 3) throw new UnsupportedContentFormat(format, path);
  const value = valueAt(path, instances);
  if (value === undefined)
    throw new UnencodableValue(`${formatPath(path)} has not one value, which content format ${format} needs`);
  if (format === ContentFormat.cbor) return encodeCbor(cborData(value));
  if (format === ContentFormat.text) return utf8(toText(value));
  if (value.type !== "opaque") throw new UnsupportedContentFormat(format, path);
  return new Uint8Array(value.value);
}

function valueAt(path: Path, instances: Iterable<ObjectInstance>): ResourceValue | undefined {
  const [instance, ...others] = instances;
  const resource = others.length === 0 ? instance?.resources.get(path[2] ?? 0) : undefined;
  if (path.length === 3) return resource?.kind === "single" ? resource.value : undefined;
  return resource?.kind === "multiple" ? resource.instances.get(path[3] ?? 0) : undefined;
}

/** LwM2M Core 1.1, appendix C, column "Text Format". */
function toText(value: ResourceValue): string {
  switch (value.type) {
    case "boolean":
      return value.value ? "1" : "0";
    case "opaque":
      return Buffer.from(value.value).toString("base64");
    case "objlnk":
      return linkText(value.value);
    case "float":
      if (!Number.isFinite(value.value)) throw new UnencodableValue(`text cannot hold the number ${value.value}`);
      return decimal(value.value);
    case "string":
      return value.value;
    default:
      if (!isInteger64(value.type, value.value)) throw new UnencodableValue(`a value of type ${value.type} does not fit 64 bits`);
      return value.value.toString();
  }
}

/** All digits and no exponent, as in OMA's example, 0.00000000006667. */
function decimal(value: number): string {
  const [, sign = "", whole = "", fraction = "", exponent] = /^(-?)(\d+)(?:\.(\d+))?(?:e([+-]\d+))?$/.exec(String(value)) ?? [];
  if (Object.is(value, -0)) return "-0";
  if (exponent === undefined) return String(value);
  const point = whole.length + Number(exponent);
  const digits = (whole + fraction).padEnd(point, "0");
  return point > 0 ? `${sign}${digits}` : `${sign}0.${"0".repeat(-point)}${digits}`;
}

/**
 * The instance with the one resource that `path` names. A resource no definition knows is a string in text.
 * @throws UnsupportedContentFormat as {@link encodeSingleValue}; MalformedContent
 */
export function decodeSingleValue(
  format: number,
  path: Path,
  payload: Uint8Array,
  definitions: ObjectDefinitions,
): ObjectInstance[] {
  const [objectId, id, resourceId, instanceId] = path;
  if (objectId === undefined || id === undefined || resourceId === undefined) throw new UnsupportedContentFormat(format, path);
  const type = definitions.get(objectId)?.resources.get(resourceId)?.type;
  if (format === ContentFormat.opaque && (type ?? "opaque") !== "opaque") throw new UnsupportedContentFormat(format, path);
  const value = readValue(format, type, payload, (why) => new MalformedContent(`${formatPath(path)} ${why}`));
  const resource: Resource =
    instanceId === undefined
      ? { kind: "single", id: resourceId, value }
      : { kind: "multiple", id: resourceId, instances: new Map([[instanceId, value]]) };
  return [{ objectId, id, resources: new Map([[resourceId, resource]]) }];
}

type Problem = (why: string) => MalformedContent;

function readValue(format: number, type: ResourceType | undefined, payload: Uint8Array, problem: Problem): ResourceValue {
  if (format === ContentFormat.opaque) return { type: "opaque", value: new Uint8Array(payload) };
  if (format === ContentFormat.text) return fromText(type ?? "string", payload, problem);
  const reader = new CborReader(payload, "CBOR");
  const data = reader.scalar(reader.next(), "the value");
  reader.end();
  return typedValue(data, type, problem);
}

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const FLOAT = /^-?\d{1,400}(?:\.\d{1,400})?(?:[eE][+-]?\d{1,4})?$/;
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

function fromText(type: ResourceType, payload: Uint8Array, problem: Problem): ResourceValue {
  let text: string;
  try {
    text = decoder.decode(payload);
  } catch {
    throw problem("is not UTF-8");
  }
  switch (type) {
    case "boolean":
      if (text !== "0" && text !== "1") throw problem("is of type boolean, 0 or 1");
      return { type, value: text === "1" };
    case "opaque":
      if (!BASE64.test(text)) throw problem("is not base64");
      return { type, value: new Uint8Array(Buffer.from(text, "base64")) };
    case "float":
      if (!FLOAT.test(text)) throw problem(`is of type ${type}`);
      return { type, value: Number(text) };
    case "integer":
    case "unsigned":
    case "time":
      if (!/^-?\d{1,20}$/.test(text)) throw problem(`is of type ${type}`);
      return typedValue(BigInt(text), type, problem);
    default:
      return typedValue(text, type, problem);
  }
}
