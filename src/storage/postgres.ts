import pg from "pg";
import type { Database, Queryable, SqlParameter, SqlRow } from "./database.ts";
import { StorageError } from "./errors.ts";
import { storageError } from "./sql-error.ts";
import type { HeldLease } from "./types.ts";

/** Imports, saves and lists of one balancer at once; more would only queue in the server. */
const MAX_CONNECTIONS = 4;
const CONNECT_TIMEOUT = 10_000;
/** A server that hangs must not hold up failover for ever: a query that takes longer has failed. */
const QUERY_TIMEOUT = 30_000;
/** Who stands still within a transaction must not keep from its locks for ever who leads after it: the server ends it then. */
const BEGIN = "begin; set local idle_in_transaction_session_timeout = '8s'";
/** division_by_zero: what {@link commitIfHeld} fails with, and nothing else at that point. */
const NOT_HELD = "22012";

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
  /** How a transaction ends. */
  readonly #commit: string;

  constructor(pool: pg.Pool, commit = "commit") {
    this.#pool = pool;
    this.#commit = commit;
  }

  heldBy(lease: HeldLease): Database {
    return new PostgresDatabase(this.#pool, commitIfHeld(lease));
  }

  query<Row = SqlRow>(sql: string, parameters: readonly SqlParameter[] = []): Promise<Row[]> {
    return this.#pool.ending ? Promise.reject(closed()) : run<Row>(this.#pool, sql, parameters);
  }

  async transaction<T>(work: (connection: Queryable) => Promise<T>): Promise<T> {
    if (this.#pool.ending) throw closed();
    const client = await this.#pool.connect().catch((error: unknown) => Promise.reject(storageError(error)));
    let broken = false;
    try {
      await run(client, BEGIN);
      const result = await work({ query: (sql, parameters) => run(client, sql, parameters) });
      await client.query(this.#commit).catch((error: unknown) => Promise.reject(commitError(error)));
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
    if (this.#pool.ending) return;
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

/**
 * Looks after the lease and commits, in one message: that costs no round trip, and who stands still before it does not hold up
 * another that takes the lease, as it would with the row locked all along. `key share` lets renewals through; taking the lease
 * waits for the commit, or is waited for.
 */
function commitIfHeld({ name, holder, term }: HeldLease): string {
  const [ourName, ourselves] = [name, holder].map(pg.escapeLiteral);
  const row = `select from lease where name = ${ourName} and holder = ${ourselves} and term = ${term} for key share`;
  return `select 1 / count(*) from (${row}) as held; commit`;
}

function commitError(error: unknown): StorageError {
  if ((error as { readonly code?: unknown } | null)?.code !== NOT_HELD) return storageError(error);
  return new StorageError("fenced", "nothing is stored: another balancer has taken the lease");
}

function closed(): StorageError {
  return new StorageError("storage-closed", "the database is closed");
}
