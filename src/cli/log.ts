import { destination, pino, stdTimeFunctions } from "pino";
import type { Logger } from "../lib/log.ts";

/** How much is logged. */
export type LogLevel = "debug" | "info" | "warn" | "error" | "silent";

/** Logs to stderr: for a person on a terminal, as JSON lines elsewhere. */
export function createLogger(name: string, level: LogLevel): Logger {
  const options = { name, level, base: { name }, timestamp: stdTimeFunctions.isoTime };
  if (!process.stderr.isTTY) return pino(options, destination({ fd: 2, sync: true }));
  return pino(options, { write: (line: string) => void process.stderr.write(forPeople(line)) });
}

const LEVEL_NAMES: Readonly<Record<number, string>> = { 20: "debug", 30: "info ", 40: "WARN ", 50: "ERROR" };

function forPeople(line: string): string {
  const { time, level, name, msg, ...fields } = JSON.parse(line) as Record<string, unknown>;
  const rest = Object.entries(fields).map(
    ([key, value]) => `${key}=${typeof value === "string" ? value : JSON.stringify(value)}`,
  );
  return `${String(time).slice(11, 23)} ${LEVEL_NAMES[Number(level)] ?? level} ${name}: ${msg}${rest.length > 0 ? `  ${rest.join(" ")}` : ""}\n`;
}
