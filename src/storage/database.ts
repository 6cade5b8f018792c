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
  close(): Promise<void>;
}
