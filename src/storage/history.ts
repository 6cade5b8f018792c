import type { PastBootstrap } from "../control/index.ts";
import type { ProgressChange } from "./types.ts";

/** How many of a device's bootstraps are kept. */
const HISTORY_LENGTH = 8;

/** The history of a row that `change` is written to: it stays as it is, or gets what ended put before it. */
export const TRIMMED_HISTORY: string = `case when change.ended is null then device.history
           else jsonb_path_query_array(change.ended || device.history, '$[0 to ${HISTORY_LENGTH - 1}]') end`;

/** A change as the UPDATE takes it, with bootstraps as arrays of their values. */
export function historyRow({ ended = [], ...change }: ProgressChange): object {
  if (ended.length === 0) return change;
  return { ...change, ended: ended.map(({ at, instance, name, duration, outcome }) => [at, instance, name, duration, outcome]) };
}

/** The other way round. */
export function pastBootstrap(row: readonly unknown[]): PastBootstrap {
  const [at, instance, name, duration, outcome] = row as [number, string | null, string | null, number, PastBootstrap["outcome"]];
  return { at, instance, name, duration, outcome };
}
