import type { Milliseconds } from "./clock.ts";
import { InvalidInput } from "./errors.ts";

const UNITS: Readonly<Record<string, Milliseconds>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/**
 * Reads a span such as `500ms`, `30s`, `5m`, `1h`, `2d`.
 * @throws InvalidInput naming `what` and the value
 */
export function parseDuration(text: string, what = "duration"): Milliseconds {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(text.trim());
  const unit = UNITS[match?.[2] ?? ""];
  if (match === null || unit === undefined) {
    const shown = text.length > 60 ? `${text.slice(0, 57)}...` : text;
    throw new InvalidInput(`${what}: "${shown}" is not a duration; write for example 30s, 5m or 1h`);
  }
  return Number(match[1]) * unit;
}

/** The shortest exact text of a span, in the form {@link parseDuration} reads. */
export function formatDuration(span: Milliseconds): string {
  for (const unit of ["d", "h", "m", "s"]) {
    const size = UNITS[unit] ?? 1;
    if (span >= size && span % size === 0) return `${span / size}${unit}`;
  }
  return `${span}ms`;
}
