import { isIP } from "node:net";
import { InvalidArgumentError } from "commander";
import { parseDuration } from "../lib/duration.ts";
import { InvalidInput } from "../lib/errors.ts";

/** A whole number from 1 on. */
export function parseLimit(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError("It must be a whole number from 1 on.");
  return value;
}

/** A port to listen on. */
export function parsePort(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > 65_535) throw new InvalidArgumentError("It must be a port, 1 to 65535.");
  return value;
}

/** The value of `--counter`: a whole number that no arithmetic rounds. @throws InvalidInput */
export function parseCounter(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidInput(`--counter: "${text}" is no whole number`);
  return Number(text);
}

/** A share, 0 to 1. */
export function parseShare(text: string): number {
  const value = Number(text);
  if (!(value >= 0 && value <= 1)) throw new InvalidArgumentError("It must be a share from 0 to 1, such as 0.2.");
  return value;
}

/** A span such as 30s, in ms; a sign in front where clocks may be off either way. */
export function parseSpan(text: string): number {
  const [, sign = "", span = ""] = /^([+-]?)(.*)$/.exec(text) ?? [];
  try {
    return (sign === "-" ? -1 : 1) * parseDuration(span);
  } catch {
    throw new InvalidArgumentError("It must be a time such as 500ms, 30s or 4m.");
  }
}

/** How long ago, such as 30d, in ms. */
export function parseAge(text: string): number {
  try {
    return parseDuration(text);
  } catch {
    throw new InvalidArgumentError("It must be an age such as 12h or 30d.");
  }
}

/** Addresses of resolvers, with or without a port, one at a time behind those of `before`. */
export function parseResolvers(text: string, before: readonly string[] = []): string[] {
  const [, six, four, port = "53"] = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d+))?$/.exec(text) ?? [];
  const valid = isIP(six ?? four ?? text) !== 0 && Number(port) <= 65_535;
  if (!valid) throw new InvalidArgumentError("It must be an address, or with a port as 127.0.0.1:8653 or [::1]:8653.");
  return [...before, text];
}
