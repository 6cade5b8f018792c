import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { extname, join } from "node:path";
import type { Worker } from "node:worker_threads";
import { startThread } from "../lib/start-thread.ts";
import type { Database, Queryable, SqlParameter, SqlRow } from "./database.ts";
import { StorageError } from "./errors.ts";
import { lockFolder } from "./folder-lock.ts";
import type { PgliteFailure, PgliteReply, PgliteRequest, PgliteTask } from "./pglite-worker.ts";
import { storageError } from "./sql-error.ts";

interface Waiting {
  resolve(rows: SqlRow[]): void;
  reject(error: StorageError): void;
}

/**
 * Opens PGlite on a folder, which is made if it is not there, or in memory.
 * @throws StorageError `storage-locked`, `storage-unavailable`, `storage-full` or `storage-failed`
 */
export async function openPglite(folder: string | undefined): Promise<Database> {
  if (folder === undefined) return new PgliteDatabase(await startEngine({}), () => {});
  const unlock = lockFolder(folder);
  try {
    return new PgliteDatabase(await startEngine({ folder: await prepareFolder(folder) }), unlock);
  } catch (error) {
    unlock();
    throw error;
  }
}

/**
 * Makes the database files if there are none. That takes half a gigabyte of memory, so a thread of its own does it
 * and gives it back. The file `creating` stands while they are made: files found beside it are half made, hold
 * nothing yet, and are made anew.
 */
async function prepareFolder(folder: string): Promise<string> {
  const files = join(folder, "pg");
  const creating = join(folder, "creating");
  if (existsSync(creating)) rmSync(files, { recursive: true, force: true });
  if (existsSync(join(files, "PG_VERSION"))) return files;
  try {
    writeFileSync(creating, "");
    mkdirSync(files, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw storageError(error);
  }
  const thread = await startEngine({ folder: files, createOnly: true });
  await thread.terminate();
  rmSync(creating);
  return files;
}

async function startEngine(task: PgliteTask): Promise<Worker> {
  const worker = startThread(new URL(`./pglite-worker${extname(import.meta.url)}`, import.meta.url), task);
  const reply = await new Promise<PgliteReply>((resolve) => {
    const stopped = (message: string): void => resolve({ kind: "stopped", failure: { message } });
    worker.once("message", resolve);
    worker.once("error", (error) => stopped(error.message));
    worker.once("exit", (status) => stopped(`its thread ended with ${status}`));
  });
  if (reply.kind !== "stopped") return worker;
  await worker.terminate();
  throw engineError("cannot start PGlite: ", reply.failure);
}

function engineError(context: string, { message, code }: PgliteFailure): StorageError {
  return storageError(Object.assign(new Error(context + message), { code }));
}

class PgliteDatabase implements Database {
  readonly #worker: Worker;
  readonly #unlock: () => void;
  readonly #waiting: Map<number, Waiting> = new Map();
  #lastId = 0;
  /** Settles when the work before is done: there is one connection, and a transaction has it to itself. */
  #turn: Promise<unknown> = Promise.resolve();
  #ended: StorageError | undefined;

  constructor(worker: Worker, unlock: () => void) {
    this.#worker = worker;
    this.#unlock = unlock;
    worker.on("message", (reply: PgliteReply) => this.#settle(reply));
    worker.on("error", (error) => this.#end(storageError(error)));
    worker.on("exit", () => {
      this.#end(new StorageError("storage-failed", "the database engine has stopped; start Berth again"));
      this.#unlock();
    });
    // Only a query in progress keeps the process alive.
    worker.unref();
  }

  query<Row = SqlRow>(sql: string, parameters: readonly SqlParameter[] = []): Promise<Row[]> {
    return this.#inTurn(() => this.#run<Row>(sql, parameters));
  }

  transaction<T>(work: (connection: Queryable) => Promise<T>): Promise<T> {
    return this.#inTurn(async () => {
      await this.#run("begin");
      try {
        const result = await work({ query: (sql, parameters) => this.#run(sql, parameters) });
        await this.#run("commit");
        return result;
      } catch (error) {
        // If even that fails the engine is gone, and nothing is committed.
        await this.#run("rollback").catch(() => {});
        throw error;
      }
    });
  }

  /** Its folder belongs to this process, so nobody else can have the lease. */
  heldBy(): Database {
    return this;
  }

  close(): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#ended !== undefined) return;
      const exited = new Promise((resolve) => this.#worker.once("exit", resolve));
      this.#ended = new StorageError("storage-closed", "the database is closed");
      this.#worker.ref();
      this.#post("close");
      await exited;
    });
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work);
    this.#turn = result.catch(() => {});
    return result;
  }

  #run<Row = SqlRow>(sql: string, parameters: readonly SqlParameter[] = []): Promise<Row[]> {
    if (this.#ended !== undefined) return Promise.reject(this.#ended);
    const id = ++this.#lastId;
    return new Promise<Row[]>((resolve, reject) => {
      this.#waiting.set(id, { resolve: (rows) => resolve(rows as Row[]), reject });
      this.#worker.ref();
      this.#post({ id, sql, parameters });
    });
  }

  #post(request: PgliteRequest): void {
    this.#worker.postMessage(request);
  }

  #settle(reply: PgliteReply): void {
    if (reply.kind === "stopped") this.#end(engineError("the engine has stopped: ", reply.failure));
    if (reply.kind === "ready" || reply.kind === "stopped") return;
    const waiting = this.#waiting.get(reply.id);
    this.#waiting.delete(reply.id);
    if (this.#waiting.size === 0) this.#worker.unref();
    if (reply.kind === "rows") waiting?.resolve(reply.rows);
    else waiting?.reject(engineError("", reply.failure));
  }

  #end(error: StorageError): void {
    this.#ended ??= error;
    for (const { reject } of this.#waiting.values()) reject(this.#ended);
    this.#waiting.clear();
  }
}
