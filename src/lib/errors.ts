/** Options of {@link BerthError}. */
export interface BerthErrorOptions {
  readonly cause?: unknown;
}

/**
 * The root of all errors Berth raises on purpose. `code` is stable and documented; scripts and metrics may
 * rely on it. `message` is one line a person can act on, names the offending field and value, and never
 * holds a secret.
 */
export class BerthError extends Error {
  readonly code: string;

  constructor(code: string, message: string, options: BerthErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = new.target.name;
    this.code = code;
  }
}

/** Input from outside (file, HTTP, flag, environment) does not fit its schema. Code `invalid-input`. */
export class InvalidInput extends BerthError {
  constructor(message: string, options: BerthErrorOptions = {}) {
    super("invalid-input", message, options);
  }
}

/** Thrown where the type system cannot see that a case is impossible. Code `internal`. */
export class InternalError extends BerthError {
  constructor(message: string, options: BerthErrorOptions = {}) {
    super("internal", message, options);
  }
}

/** The text of anything that was thrown, on one line. */
export function errorText(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.replaceAll(/\s*\n\s*/g, " ");
}
