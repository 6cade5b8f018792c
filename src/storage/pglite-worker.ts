import { type MessagePort, parentPort, workerData } from "node:worker_threads";
import { PGlite } from "@electric-sql/pglite";
import { errorText } from "../lib/errors.ts";
import type { SqlParameter, SqlRow } from "./database.ts";
import { DurableNodeFS, durableParameters } from "./durable-fs.ts";

// The thread PGlite runs in: a batch of rows keeps it busy for tens of milliseconds, in which the main thread goes on
// answering packets. It runs one statement at a time, in the order they come.

/** What the thread is to do: make a database in a folder and end, or serve one from a folder or, without, from memory. */
export interface PgliteTask {
  readonly folder?: string;
  readonly createOnly?: boolean;
}

export type PgliteRequest = { readonly id: number; readonly sql: string; readonly parameters: readonly SqlParameter[] } | "close";

/** What a driver or the system says of a failure; `code` is the SQLSTATE or the system's name of the error. */
export interface PgliteFailure {
  readonly message: string;
  readonly code?: string;
}

/** `ready` comes once; then `rows` or `refused` for each request; after `stopped` nothing comes any more. */
export type PgliteReply =
  | { readonly kind: "ready" }
  | { readonly kind: "rows"; readonly id: number; readonly rows: SqlRow[] }
  | { readonly kind: "refused"; readonly id: number; readonly failure: PgliteFailure }
  | { readonly kind: "stopped"; readonly failure: PgliteFailure };

/** Enough for the indexes of 10^5 devices; the rest is in the page cache of the system. The default of 128 MB is resident. */
const SHARED_BUFFERS = "32MB";
/** How much log may pile up before its pages are written; bounds the log's size on disk and the time to recover. */
const MAX_WAL_SIZE = "256MB";

/** ENOSPC as WASI numbers it. */
const WASI_ENOSPC = 51;

const port = parentPort as MessagePort;
/** Why the engine did not start, in its own words. */
let lastFatal: string | undefined;

function failureOf(error: unknown): PgliteFailure {
  const { code, errno } = error as { readonly code?: unknown; readonly errno?: unknown };
  // A file system error of emscripten has a number and no text.
  if (errno === WASI_ENOSPC) return { message: "No space left on device", code: "ENOSPC" };
  const message = error instanceof Error ? errorText(error) : `file system error ${String(errno)}`;
  return typeof code === "string" ? { message, code } : { message };
}

async function openDatabase(task: PgliteTask): Promise<PGlite> {
  return await PGlite.create({
    ...(task.folder === undefined ? {} : { fs: new DurableNodeFS(task.folder) }),
    startParams: [
      ...(task.folder === undefined ? PGlite.defaultStartParams : durableParameters(PGlite.defaultStartParams)),
      ...["-c", `shared_buffers=${SHARED_BUFFERS}`, "-c", `max_wal_size=${MAX_WAL_SIZE}`],
    ],
    onStderr: (text) => {
      const [, severity, message] = /\b(FATAL|PANIC): +(.*)/.exec(text) ?? [];
      if (severity === "FATAL") lastFatal = message;
      if (severity === "PANIC") stop(message ?? text);
      return true;
    },
  });
}

function serve(database: PGlite): void {
  let last: Promise<void> = Promise.resolve();
  const answer = async (request: PgliteRequest): Promise<void> => {
    if (request === "close") {
      await database.close();
      process.exit(0);
    }
    try {
      const { rows } = await database.query<SqlRow>(request.sql, [...request.parameters]);
      reply({ kind: "rows", id: request.id, rows });
    } catch (error) {
      reply({ kind: "refused", id: request.id, failure: failureOf(error) });
    }
  };
  port.on("message", (request: PgliteRequest) => {
    last = last.then(() => answer(request));
  });
}

/** The engine has given up, as when its log cannot be written. PGlite would loop for ever at its next call, so there is none. */
function stop(message: string): never {
  reply({ kind: "stopped", failure: { message } });
  process.exit(1);
}

function reply(message: PgliteReply): void {
  port.postMessage(message);
}

try {
  const task = workerData as PgliteTask;
  const database = await openDatabase(task);
  if (task.createOnly === true) await database.close();
  else serve(database);
  reply({ kind: "ready" });
} catch (error) {
  const { message, ...failure } = failureOf(error);
  reply({ kind: "stopped", failure: { message: lastFatal === undefined ? message : `${message}: ${lastFatal}`, ...failure } });
}
