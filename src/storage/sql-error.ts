import { errorText } from "../lib/errors.ts";
import { StorageError, type StorageErrorCode } from "./errors.ts";

/** SQLSTATEs (PostgreSQL manual, appendix A) and system errors that mean "not now", as opposed to "not so". */
const UNAVAILABLE =
  /^(08...|57P0.|25P03|53300|28...|3D000|ECONN.*|EPIPE|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH)$/;
/** disk_full, and its system errors as codes and as text: PostgreSQL has no code for them while it starts or stops. */
const FULL = /^(53100|ENOSPC|EDQUOT)$/;
const FULL_TEXT = /No space left on device|quota exceeded/i;

/**
 * What a driver threw, as ours. PostgreSQL puts values of rows in the detail and the context of an error, never in
 * its first line, so only that is kept.
 */
export function storageError(error: unknown): StorageError {
  if (error instanceof StorageError) return error;
  const state = stateOf(error);
  // Connecting to a name with several addresses fails with an AggregateError that has no text.
  const text = errorText(error) || state;
  if (FULL.test(state) || FULL_TEXT.test(text)) return wrap("storage-full", `the disk of the database is full: ${text}`);
  if (UNAVAILABLE.test(state) || /^Connection terminated|^timeout exceeded/.test(text)) {
    return wrap("storage-unavailable", `the database cannot be reached: ${text}`);
  }
  return wrap("storage-failed", `the database failed: ${text}${state === "" ? "" : ` (SQLSTATE ${state})`}`);
}

/** The driver's error is not kept as a cause: its detail and parameters may hold values. */
function wrap(code: StorageErrorCode, message: string): StorageError {
  return new StorageError(code, message);
}

function stateOf(error: unknown): string {
  const code = (error as { readonly code?: unknown } | null)?.code;
  return typeof code === "string" ? code : "";
}
