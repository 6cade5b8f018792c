import { readFileSync } from "node:fs";
import { InvalidInput } from "../lib/errors.ts";

/** Open files of a process that are not devices: resolvers, logs, the event loop. */
const RESERVE = 200;

/** How many files this process may have open, from the text of `/proc/self/limits`; undefined if it does not say. */
function openFileLimit(limits: string): number | undefined {
  const soft = /^Max open files\s+(\d+|unlimited)/m.exec(limits)?.[1];
  return soft === undefined || soft === "unlimited" ? undefined : Number(soft);
}

/**
 * Checks that `sockets` can be open at once.
 * @throws InvalidInput that says what to do
 */
export function checkOpenFiles(sockets: number): void {
  let limit: number | undefined;
  try {
    limit = openFileLimit(readFileSync("/proc/self/limits", "utf8"));
  } catch {
    // Not Linux. Node raises its limit as far as it may; a socket that cannot be opened is a failed attempt.
  }
  if (limit === undefined || sockets + RESERVE <= limit) return;
  throw new InvalidInput(
    `${sockets} devices at once need ${sockets + RESERVE} open files, and this process may have ${limit}; ` +
      `raise it (ulimit -n ${sockets + RESERVE}), or let fewer devices run at once`,
  );
}
