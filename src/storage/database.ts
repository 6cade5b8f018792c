import type { HeldLease } from "./types.ts";

/** A JSON-able parameter: what both drivers bind alike. Bytes go as base64 text and are decoded in SQL. */
export type SqlParameter = string | number | boolean | null;

/** Rows as both drivers give them: bigint columns as numbers, json columns parsed. */
export type SqlRow = Record<string, unknown>;

/** Something that runs one SQL statement. */
export interface Queryable {
  query<Row = SqlRow>(sql: string, parameters?: readonly SqlParameter[]): Promise<Row[]>;
}

/** PostgreSQL or PGlite. Every method rejects with a `StorageError`. */
export interface Database extends Queryable {
  /**
   * Runs `work` between BEGIN and COMMIT; rolls back if it rejects. Inside, only the given `Queryable` may be used.
   */
  transaction<T>(work: (connection: Queryable) => Promise<T>): Promise<T>;
  /** The same database, where a transaction rejects with `fenced` instead of being committed if the lease is not held like this. */
  heldBy(lease: HeldLease): Database;
  close(): Promise<void>;
}

/** Runs one statement that changes something, which a lease may keep from it ({@link Database.heldBy}). */
export function change(database: Database, sql: string, parameters: readonly SqlParameter[]): Promise<SqlRow[]> {
  return database.transaction((connection) => connection.query(sql, parameters));
}
