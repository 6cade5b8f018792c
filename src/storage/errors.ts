import { BerthError, type BerthErrorOptions } from "../lib/errors.ts";

/** The causes of {@link StorageError}; `docs/storage.md` says what to do about each. */
export type StorageErrorCode =
  | "storage-key-missing"
  | "storage-key-invalid"
  | "storage-key-permissions"
  | "storage-key-wrong"
  | "storage-sealed-damaged"
  | "storage-locked"
  | "storage-newer"
  | "storage-unavailable"
  | "storage-full"
  | "storage-failed"
  | "storage-closed"
  /** Another has the lease; the balancer, which is its holder, stops when it hears of it. */
  | "fenced";

/** Something about the database or its key. The message never holds a value of a row. */
export class StorageError extends BerthError {
  declare readonly code: StorageErrorCode;

  constructor(code: StorageErrorCode, message: string, options: BerthErrorOptions = {}) {
    super(code, message, options);
  }
}
