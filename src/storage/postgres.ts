import pg from "pg";
import type { Database, Queryable, SqlParameter, SqlRow } from "./database.ts";
import { StorageError } from "./errors.ts";
import { storageError } from "./sql-error.ts";

/** Imports, saves and lists of one balancer at once; more would only queue in the server. */
const MAX_CONNECTIONS = 4;
const CONNECT_TIMEOUT = 10_000;
/** A server that hangs must not hold up failover for ever: a query that takes longer has failed. */
const QUERY_TIMEOUT = 30_000;

/** bigint (OID 20) as a number: ours are milliseconds and counters, all below 2^53. */
const TYPES: pg.CustomTypesConfig = {
  getTypeParser: (id, format) => (id === 20 ? Number : pg.types.getTypeParser(id, format as "text")),
};

/**
 * Connects to a PostgreSQL server.
 * @param url `postgres://user:password@host:port/database`, with the parameters of libpq (`sslmode` and others)
 * @throws StorageError `storage-unavailable` if it cannot be reached
 */
export async function openPostgres(url: string): Promise<Database> {
  const pool = new pg.Pool({
    connectionString: url,
    max: MAX_CONNECTIONS,
    connectionTimeoutMillis: CONNECT_TIMEOUT,
    query_timeout: QUERY_TIMEOUT,
    types: TYPES,
  });
  // An idle connection that breaks is replaced at the next query, which reports if there is something to report.
  pool.on("error", () => {});
  // The same for one that breaks between two statements of a transaction; unheard, it would end the process.
  pool.on("connect", (client) => client.on("error", () => {}));
  const database = new PostgresDatabase(pool);
  try {
    await database.query("select 1");
    return database;
  } catch (error) {
    await pool.end();
    throw error;
  }
}

class PostgresDatabase implements Database {
  readonly #pool: pg.Pool;
  #closed = false;

  constructor(pool: pg.Pool) {
    this.#pool = pool;
  }

  query<Row = SqlRow>(sql: string, parameters: readonly SqlParameter[] = []): Promise<Row[]> {
    return this.#closed ? Promise.reject(closed()) : run<Row>(this.#pool, sql, parameters);
  }

  async transaction<T>(work: (connection: Queryable) => Promise<T>): Promise<T> {
    if (this.#closed) throw closed();
    const client = await this.#pool.connect().catch((error: unknown) => Promise.reject(storageError(error)));
    let broken = false;
    try {
      await run(client, "begin");
      const result = await work({ query: (sql, parameters) => run(client, sql, parameters) });
      await run(client, "commit");
      return result;
    } catch (error) {
      await run(client, "rollback").catch(() => {
        broken = true;
      });
      throw error;
    } finally {
      client.release(broken);
    }
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#pool.end();
  }
}

async function run<Row>(on: pg.Pool | pg.PoolClient, sql: string, parameters: readonly SqlParameter[] = []): Promise<Row[]> {
  try {
    return (await on.query(sql, [...parameters])).rows as Row[];
  } catch (error) {
    throw storageError(error);
  }
}

function closed(): StorageError {
  return new StorageError("storage-closed", "the database is closed");
}
