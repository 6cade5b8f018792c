import { type ResourceType, type ResourceValue, toInteger } from "./node.ts";

/** Intervals of what is allowed, both ends included: of a number, or of the length of a string (characters) or opaque (bytes). */
export type ValueRange = readonly (readonly [min: number | bigint, max: number | bigint])[];

const NUMBER = String.raw`-?\d{1,20}(?:\.\d{1,20})?`;
const INTERVAL = new RegExp(String.raw`^\[?\s*(${NUMBER})\s*(?:\.{2,3}|-|:)\s*(${NUMBER})\s*\]?$`);
const LONE = new RegExp(`^${NUMBER}$`);

/**
 * Reads what the definition of a Resource says of its range: `0..255`, `-20..20`, `0-255 bytes`, `1...3`,
 * `16,32,48`, `0..3, 99`. Undefined for what is no such thing, as OMA's registry has prose there too. A number by
 * itself is the length of an opaque, the greatest length of a string, and of other types says nothing.
 */
export function parseRange(text: string, type: ResourceType): ValueRange | undefined {
  if (type === "boolean" || type === "objlnk") return undefined;
  const hasLength = type === "string" || type === "opaque";
  const bare = text.trim().replace(/\s*bytes?$/i, "");
  // An integer of "2 bytes" is not an integer of 2.
  if (bare === "" || (bare.length < text.trim().length && !hasLength)) return undefined;
  const parts = bare.split(/\s*[,;]\s*|\s+or\s+/);
  const range: (readonly [number | bigint, number | bigint])[] = [];
  for (const part of parts) {
    const [, from, to] = INTERVAL.exec(part) ?? [];
    if (from !== undefined && to !== undefined) {
      const [a, b] = [toNumber(from), toNumber(to)];
      range.push(a <= b ? [a, b] : [b, a]);
    } else if (LONE.test(part) && (parts.length > 1 || hasLength)) {
      const value = toNumber(part);
      range.push(parts.length === 1 && type === "string" ? [0, value] : [value, value]);
    } else {
      return undefined;
    }
  }
  return range;
}

function toNumber(text: string): number | bigint {
  return text.includes(".") ? Number(text) : toInteger(BigInt(text));
}

/** Whether the value, or its length, lies in one of the intervals. Types that have neither always fit. */
export function fitsRange(value: ResourceValue, range: ValueRange): boolean {
  const measured = measure(value);
  return measured === undefined || range.some(([min, max]) => measured >= min && measured <= max);
}

function measure(value: ResourceValue): number | bigint | undefined {
  if (value.type === "string" || value.type === "opaque") return value.value.length;
  return typeof value.value === "number" || typeof value.value === "bigint" ? value.value : undefined;
}

/** The range as errors name it: `0 to 4`, or `16, 32 or 48`. */
export function rangeText(range: ValueRange): string {
  const parts = range.map(([min, max]) => (min === max ? `${min}` : `${min} to ${max}`));
  const last = parts.pop() ?? "";
  return parts.length === 0 ? last : `${parts.join(", ")} or ${last}`;
}
