import type { MalformedContent } from "./errors.ts";
import { isInteger64, type ObjectLink, type ResourceType, type ResourceValue, toInteger } from "./node.ts";
import { MAX_ID } from "./path.ts";

/** A value as formats with types of their own (JSON, CBOR) hold it. */
export type PlainData = number | bigint | string | boolean | Uint8Array;

/**
 * The value a resource has, of the type its definition gives, or else of the one the data suggests.
 * @throws what `problem` makes of the reason, when the data is not of that type
 */
export function typedValue(
  data: PlainData,
  defined: ResourceType | undefined,
  problem: (why: string) => MalformedContent,
): ResourceValue {
  const type = defined ?? guessType(data);
  switch (type) {
    case "string":
      if (typeof data === "string") return { type, value: data };
      break;
    case "boolean":
      if (typeof data === "boolean") return { type, value: data };
      break;
    case "opaque":
      if (data instanceof Uint8Array) return { type, value: data };
      break;
    case "float":
      if (typeof data === "number" || typeof data === "bigint") return { type, value: Number(data) };
      break;
    case "objlnk":
      if (typeof data === "string") return { type, value: readLink(data, problem) };
      break;
    default: {
      const number = type === "time" && typeof data === "string" ? readDate(data, problem) : data;
      if (typeof number !== "number" && typeof number !== "bigint") break;
      if (!isInteger64(type, number)) throw problem(`does not fit the type ${type}`);
      return { type, value: toInteger(Object.is(number, -0) ? 0 : number) };
    }
  }
  throw problem(`is of type ${type}`);
}

function guessType(data: PlainData): ResourceType {
  if (typeof data === "string") return "string";
  if (typeof data === "boolean") return "boolean";
  if (data instanceof Uint8Array) return "opaque";
  if (Object.is(data, -0)) return "float";
  if (isInteger64("integer", data)) return "integer";
  return isInteger64("unsigned", data) ? "unsigned" : "float";
}

/**
 * Reads an object link, `objectId:instanceId`. The link to nothing is 65535:65535 by the rules and FFFF:FFFF in OMA's
 * example (LwM2M Core 1.2.2, table 7.5.6-4); Zephyr ends a link with a zero byte.
 */
export function readLink(text: string, problem: (why: string) => MalformedContent): ObjectLink {
  if (/^FFFF:FFFF$/i.test(text)) return { objectId: MAX_ID, instanceId: MAX_ID };
  const match = /^(\d{1,5}):(\d{1,5})\0?$/.exec(text);
  const [objectId, instanceId] = [Number(match?.[1]), Number(match?.[2])];
  if (!(objectId <= MAX_ID && instanceId <= MAX_ID)) throw problem("is not an object link");
  return { objectId, instanceId };
}

/** The text of an object link. */
export function linkText({ objectId, instanceId }: ObjectLink): string {
  return `${objectId}:${instanceId}`;
}

const DATE = /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:[Zz]|[+-]\d\d:\d\d)$/;

/** Seconds since 1970 of a date of RFC 3339, the form LwM2M 1.1 gives times in CBOR. */
function readDate(text: string, problem: (why: string) => MalformedContent): number {
  const milliseconds = DATE.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(milliseconds)) throw problem("is not a time");
  return Math.floor(milliseconds / 1000);
}
