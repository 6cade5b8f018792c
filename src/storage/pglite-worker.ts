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

/** `ready` comes once; then one answer for each request. `code` is the SQLSTATE. */
export type PgliteReply =
  | { readonly ready: true }
  | { readonly id: number; readonly rows: SqlRow[] }
  | { readonly id?: number; readonly error: { readonly message: string; readonly code?: string } };

/** Enough for the indexes of 10^5 devices; the rest is in the page cache of the system. The default of 128 MB is resident. */
const SHARED_BUFFERS = "32MB";
/** How much log may pile up before its pages are written; bounds the log's size on disk and the time to recover. */
const MAX_WAL_SIZE = "256MB";

const port = parentPort as MessagePort;
let lastFatal: string | undefined;

function describe(error: unknown): { message: string; code?: string } {
  const code = (error as { readonly code?: unknown }).code;
  const message = lastFatal === undefined ? errorText(error) : `${errorText(error)}: ${lastFatal}`;
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
      if (/\b(FATAL|PANIC):/.test(text)) lastFatal = text.trim();
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
      reply({ id: request.id, rows });
    } catch (error) {
      reply({ id: request.id, error: describe(error) });
      // After a PANIC the engine is gone, and whoever asks next must hear so.
      if (lastFatal !== undefined) process.exit(1);
    }
  };
  port.on("message", (request: PgliteRequest) => {
    last = last.then(() => answer(request));
  });
}

function reply(message: PgliteReply): void {
  port.postMessage(message);
}

try {
  const task = workerData as PgliteTask;
  const database = await openDatabase(task);
  if (task.createOnly === true) await database.close();
  else serve(database);
  reply({ ready: true });
} catch (error) {
  reply({ error: describe(error) });
}
