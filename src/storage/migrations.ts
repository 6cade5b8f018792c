import type { Database, Queryable } from "./database.ts";
import { StorageError } from "./errors.ts";

/**
 * One step of the schema; its number is its place in the list. A step that has been released is never edited: a change
 * is a new step. Endpoints compare as bytes (`collate "C"`), the same in every locale.
 */
const MIGRATIONS: readonly (readonly string[])[] = [
  [
    // A fifth of each page stays free, so that progress is written beside the old row without touching the indexes.
    `create table device (
      endpoint text collate "C" primary key,
      identity text collate "C" not null unique,
      sealed bytea not null,
      profile text not null,
      device_group text,
      state text not null default 'pending' check (state in ('pending', 'commenced', 'completed')),
      failure text,
      instance text,
      session text,
      commenced_at bigint,
      completed_at bigint,
      attempts integer not null default 0,
      failures integer not null default 0,
      updated_at bigint not null
    ) with (fillfactor = 80)`,
    `create table profile (
      name text collate "C" primary key,
      version integer not null,
      sealed bytea not null,
      updated_at bigint not null
    )`,
    `create table instance (
      id text collate "C" primary key,
      ipv4 text,
      ipv6 text,
      state text not null,
      registered_at bigint not null,
      last_seen bigint not null
    )`,
    `create table setting (
      key text collate "C" primary key,
      value json not null
    )`,
    `create table notification_mark (
      instance text collate "C" not null,
      boot_id text collate "C" not null,
      sequence bigint not null,
      updated_at bigint not null,
      primary key (instance, boot_id)
    )`,
  ],
  [
    // Devices of before prove themselves by a PSK.
    "alter table device add column mode text not null default 'psk' check (mode in ('psk', 'x509', 'rpk', 'nosec'))",
    "alter table device alter column mode drop default",
  ],
  [
    // Arrays of values, which take half the room of objects.
    "alter table device add column history jsonb not null default '[]'",
    `create table audit (
      id bigint generated always as identity primary key,
      at bigint not null,
      kind text not null,
      subject text,
      trigger text not null,
      reason text not null,
      counts json not null
    )`,
  ],
  [
    // For recipes with a counter; a counter goes up to 2^53-1.
    "alter table device add column counter bigint not null default 0, add column skipped integer not null default 0",
  ],
  [
    `create table lease (
      name text collate "C" primary key,
      holder text not null,
      term bigint not null,
      until timestamptz not null
    )`,
  ],
];

/** Any number; it keeps two Berths that start at once on one server from migrating at once. */
const ADVISORY_LOCK = 8_263_114;

/**
 * Brings the schema up to date: each missing step once, in a transaction of its own.
 * @throws StorageError `storage-newer` if a newer Berth has been here, or what the database answers
 */
export async function migrate(database: Database): Promise<void> {
  await database.transaction(async (connection) => {
    await connection.query(`select pg_advisory_xact_lock(${ADVISORY_LOCK})`);
    await connection.query("create table if not exists berth_schema (version integer primary key)");
  });
  for (let version = 1; version <= MIGRATIONS.length; version++) {
    await database.transaction((connection) => applyStep(connection, version));
  }
  const [row] = await database.query<{ version: number }>("select coalesce(max(version), 0) as version from berth_schema");
  if (row !== undefined && row.version > MIGRATIONS.length) {
    throw new StorageError(
      "storage-newer",
      `the database has schema ${row.version}, this Berth knows up to ${MIGRATIONS.length}; use the Berth that wrote it, or a newer one`,
    );
  }
}

async function applyStep(connection: Queryable, version: number): Promise<void> {
  await connection.query(`select pg_advisory_xact_lock(${ADVISORY_LOCK})`);
  const applied = await connection.query("select version from berth_schema where version >= $1", [version]);
  if (applied.length > 0) return;
  for (const statement of MIGRATIONS[version - 1] ?? []) await connection.query(statement);
  await connection.query("insert into berth_schema (version) values ($1)", [version]);
}
