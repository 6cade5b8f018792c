/** Fields of a log line. Never a secret, a key, or a live temporary name (see {@link LogFields} users' `hashForLog`). */
export type LogFields = Readonly<Record<string, unknown>>;

/** What Berth needs of a logger; pino's loggers fit as they are. */
export interface Logger {
  debug(fields: LogFields, message: string): void;
  info(fields: LogFields, message: string): void;
  warn(fields: LogFields, message: string): void;
  error(fields: LogFields, message: string): void;
}

const drop = (): void => {};

/** A logger that says nothing. */
export const silentLogger: Logger = { debug: drop, info: drop, warn: drop, error: drop };
