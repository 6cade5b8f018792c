import { InvalidInput } from "../lib/errors.ts";
import { MAX_LABEL, MAX_NAME } from "./constants.ts";

/**
 * A host name as labels with length bytes, ending in the root's zero (RFC 1035 section 3.1), in lower case: names
 * are compared without case (RFC 4343). Only for names that may be shown: the error repeats the name.
 * @throws InvalidInput naming `what`: empty or overlong label, overlong name, or other characters than printable ASCII
 */
export function nameToWire(name: string, what = "name"): Uint8Array {
  const wire = new Uint8Array(name.length + 2);
  for (let index = 0; index < name.length; index++) {
    const code = name.charCodeAt(index);
    if (code <= 0x20 || code >= 0x7f) throw new InvalidInput(`${what}: "${name}" holds a character a DNS name cannot have`);
    wire[index + 1] = lowerCase(code);
  }
  if (name.length + 2 > MAX_NAME || !lengthsForDots(wire, name.length)) {
    throw new InvalidInput(`${what}: "${name}" is not a DNS name: labels of 1-63 characters, 253 in all`);
  }
  return wire;
}

/** ASCII lower case of one byte (RFC 4343 section 3). */
export function lowerCase(code: number): number {
  return code >= 0x41 && code <= 0x5a ? code + 0x20 : code;
}

/**
 * Turns dotted text that stands at `wire[1]` and is `length` long into labels: each dot's place is just where
 * the length of the label behind it belongs. Says whether every label has 1-63 bytes.
 */
export function lengthsForDots(wire: Uint8Array, length: number): boolean {
  let start = 0;
  for (let at = 1; at <= length + 1; at++) {
    if (at <= length && wire[at] !== 0x2e) continue;
    const label = at - start - 1;
    if (label < 1 || label > MAX_LABEL) return false;
    wire[start] = label;
    start = at;
  }
  return true;
}

/**
 * How many bytes of a lower-case name in wire form (`length` with the root's zero) stand in front of the zone's labels:
 * 0 for the zone's own name, -1 if the name is not in the zone.
 */
export function relativeLength(name: Uint8Array, length: number, zone: Uint8Array): number {
  const relative = length - zone.length;
  if (relative < 0) return -1;
  let start = 0;
  while (start < relative) start += 1 + (name[start] as number);
  if (start !== relative) return -1;
  for (let index = 0; index < zone.length; index++) if (name[relative + index] !== zone[index]) return -1;
  return relative;
}
