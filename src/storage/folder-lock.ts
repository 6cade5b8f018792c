import { closeSync, ftruncateSync, mkdirSync, openSync, readFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import koffi from "koffi";
import { errorText } from "../lib/errors.ts";
import { StorageError } from "./errors.ts";

/** Operations of flock(2), the same on Linux and macOS. */
const LOCK_EX = 2;
const LOCK_NB = 4;

/**
 * Takes the folder for this process; two PostgreSQL engines on one folder would destroy it. The kernel holds the
 * lock (flock), so it is gone with the process, however that ended; the file `lock` only names the holder for the
 * message and is never removed.
 * @returns what gives the folder free again
 * @throws StorageError `storage-locked` if another holds it, `storage-unavailable` if the folder cannot be made or written
 */
export function lockFolder(folder: string): () => void {
  const path = join(folder, "lock");
  let descriptor: number;
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    descriptor = openSync(path, "a+", 0o600);
  } catch (cause) {
    throw new StorageError("storage-unavailable", `${folder}: cannot use this folder: ${errorText(cause)}`, { cause });
  }
  if (!tryLock(descriptor, path)) {
    closeSync(descriptor);
    const holder = holderOf(path);
    throw new StorageError(
      "storage-locked",
      `${folder}: another Berth is using this folder${holder === undefined ? "" : ` (process ${holder})`}; stop it, or choose another folder`,
    );
  }
  ftruncateSync(descriptor);
  writeSync(descriptor, `${process.pid}\n`);
  return () => closeSync(descriptor);
}

function tryLock(descriptor: number, path: string): boolean {
  const flock = findFlock();
  if (flock !== undefined) return flock(descriptor, LOCK_EX | LOCK_NB) === 0;
  // Windows has no flock: there the process id in the file decides.
  const holder = holderOf(path);
  return holder === undefined || holder === process.pid || !isAlive(holder);
}

function findFlock(): ((descriptor: number, operation: number) => number) | undefined {
  if (process.platform === "win32") return undefined;
  return koffi.load(null).func("int flock(int descriptor, int operation)");
}

function holderOf(path: string): number | undefined {
  const id = Number.parseInt(readFileSync(path, "utf8"), 10);
  return Number.isInteger(id) ? id : undefined;
}

function isAlive(id: number): boolean {
  try {
    process.kill(id, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
