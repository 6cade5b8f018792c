import type { Instant } from "../lib/clock.ts";
import { InvalidInput } from "../lib/errors.ts";
import { openCredentials, sealCredentials } from "./credentials.ts";
import { change, type Database, type Queryable } from "./database.ts";
import { deviceProblem } from "./device-record.ts";
import { historyRow, pastBootstrap, TRIMMED_HISTORY } from "./history.ts";
import type { SecretBox } from "./secret-box.ts";
import type {
  DeviceRecord,
  DeviceRow,
  DeviceState,
  DeviceStatus,
  Devices,
  ImportResult,
  NotificationMark,
  PageOptions,
  ProgressChange,
  Rejection,
} from "./types.ts";

// Many rows travel as one JSON text each way: in PGlite that takes half the time of arrays or rows, and PostgreSQL
// does not mind.

const STATUS_COLUMNS = `endpoint, mode, identity, profile, device_group as "group", state, failure, instance, session,
  commenced_at as "commencedAt", completed_at as "completedAt", attempts, failures, counter, skipped, updated_at as "updatedAt"`;
const ALL_COLUMNS = `${STATUS_COLUMNS}, encode(sealed, 'base64') as sealed`;
/** Rows in one statement: some ten milliseconds in the database, and one or two of this thread for its JSON. */
const ROWS_PER_STATEMENT = 1000;
/** Marks of earlier runs of an instance: a late repetition comes within seconds; a day is generous. */
const OLD_MARK_AGE: Instant = 86_400_000;

interface SealedRow extends DeviceStatus {
  readonly sealed: string;
}

/** The devices in `database`, their credentials sealed by `box`. */
export function createDevices(database: Database, box: SecretBox): Devices {
  const open = ({ sealed, ...status }: SealedRow): DeviceRow => ({ ...status, ...openCredentials(box, status.endpoint, sealed) });
  return {
    import: (batch, now) => importDevices(database, box, batch, now),

    async *all(batchSize = ROWS_PER_STATEMENT) {
      for (let after = ""; ; ) {
        const rows = await selectPage<SealedRow>(database, ALL_COLUMNS, { after, limit: batchSize });
        if (rows.length > 0) yield rows.map(open);
        if (rows.length < batchSize) return;
        after = rows.at(-1)?.endpoint ?? "";
      }
    },

    async get(endpoint) {
      const [row] = await database.query<SealedRow>(`select ${ALL_COLUMNS} from device where endpoint = $1`, [endpoint]);
      return row === undefined ? undefined : open(row);
    },

    async history(endpoint) {
      const [row] = await database.query<{ history: unknown[][] }>("select history from device where endpoint = $1", [endpoint]);
      return (row?.history ?? []).map(pastBootstrap);
    },

    page: (options) => selectPage<DeviceStatus>(database, STATUS_COLUMNS, options),

    async countByState() {
      const counts: Record<DeviceState, number> = { pending: 0, commenced: 0, completed: 0 };
      const rows = await database.query<{ state: DeviceState; count: number }>(
        "select state, count(*) as count from device group by state",
      );
      for (const row of rows) counts[row.state] = row.count;
      return counts;
    },

    async remove(endpoints) {
      const sql = "delete from device where endpoint in (select json_array_elements_text($1::json)) returning 1";
      return (await change(database, sql, [JSON.stringify(endpoints)])).length;
    },

    saveProgress: (changes, marks = []) =>
      database.transaction(async (connection) => {
        let saved = 0;
        for (const slice of slices(lastOfEach(changes))) saved += await updateProgress(connection, slice);
        if (marks.length > 0) await saveMarks(connection, marks);
        return saved;
      }),

    marks: () =>
      database.query<NotificationMark>(
        `select instance, boot_id as "bootId", sequence, updated_at as "updatedAt" from notification_mark order by instance, boot_id`,
      ),
  };
}

async function selectPage<Row>(database: Database, columns: string, { after = "", limit, state }: PageOptions): Promise<Row[]> {
  if (!Number.isInteger(limit) || limit < 1) throw new InvalidInput(`limit: ${limit} is not a positive whole number`);
  const [row] = await database.query<{ rows: string | null }>(
    `select json_agg(page)::text as rows from (
       select ${columns} from device where endpoint > $1 and ($3::text is null or state = $3) order by endpoint limit $2
     ) page`,
    [after, limit, state ?? null],
  );
  return JSON.parse(row?.rows ?? "[]") as Row[];
}

async function importDevices(
  database: Database,
  box: SecretBox,
  batch: readonly DeviceRecord[],
  now: Instant,
): Promise<ImportResult> {
  const rejected: Rejection[] = [];
  const latest = lastOfEach(batch);
  const identities = new Map<string, string>();
  const accepted = latest.filter((device) => {
    const owner = identities.get(device.identity);
    const reason = deviceProblem(device) ?? (owner === undefined ? undefined : identityTaken(device, owner));
    if (reason !== undefined) rejected.push({ endpoint: device.endpoint, reason });
    else identities.set(device.identity, device.endpoint);
    return reason === undefined;
  });
  return await database.transaction(async (connection) => {
    // Nobody may add an identity between the question who has it and the answer.
    await connection.query("lock table device in share row exclusive mode");
    let inserted = 0;
    let written = 0;
    for (const slice of slices(accepted)) {
      const taken = await takenIdentities(connection, slice);
      const free = slice.filter((device) => {
        const owner = taken.get(device.endpoint);
        if (owner !== undefined) rejected.push({ endpoint: device.endpoint, reason: identityTaken(device, owner) });
        return owner === undefined;
      });
      inserted += await upsert(connection, box, free, now);
      written += free.length;
    }
    // An endpoint that stood twice was written and then updated, as if in two batches.
    return { inserted, updated: written - inserted + batch.length - latest.length, rejected };
  });
}

/** An identity is proven in one way or another, so devices of two modes cannot share it either. */
function identityTaken({ mode }: DeviceRecord, owner: string): string {
  if (mode === "psk") return `its identity belongs to ${owner}`;
  return `its ${mode === "rpk" ? "public key's SHA-256" : "endpoint"} is the identity of ${owner}`;
}

/** Which of the devices ask for an identity that another endpoint has, and which endpoint that is. */
async function takenIdentities(connection: Queryable, devices: readonly DeviceRecord[]): Promise<Map<string, string>> {
  const rows = await connection.query<{ endpoint: string; owner: string }>(
    `select wanted.endpoint, device.endpoint as owner
     from json_to_recordset($1::json) as wanted (endpoint text, identity text)
     join device on device.identity = wanted.identity and device.endpoint <> wanted.endpoint`,
    [JSON.stringify(devices.map(({ endpoint, identity }) => ({ endpoint, identity })))],
  );
  return new Map(rows.map(({ endpoint, owner }) => [endpoint, owner]));
}

/** Returns how many were new; `xmax` is 0 in a row that was inserted, not updated. */
async function upsert(connection: Queryable, box: SecretBox, devices: readonly DeviceRecord[], now: Instant): Promise<number> {
  const rows = devices.map(({ endpoint, mode, identity, profile, group, ...credentials }) => ({
    endpoint,
    mode,
    identity,
    profile,
    device_group: group,
    sealed: sealCredentials(box, endpoint, credentials),
  }));
  const [count] = await connection.query<{ inserted: number }>(
    `with written as (
       insert into device (endpoint, mode, identity, sealed, profile, device_group, updated_at)
       select endpoint, mode, identity, decode(sealed, 'base64'), profile, device_group, $2::bigint
       from json_to_recordset($1::json) as given (endpoint text, mode text, identity text, sealed text, profile text,
         device_group text)
       on conflict (endpoint) do update set mode = excluded.mode, identity = excluded.identity, sealed = excluded.sealed,
         profile = excluded.profile, device_group = excluded.device_group, updated_at = excluded.updated_at
       returning xmax = 0 as is_new
     ) select count(*) filter (where is_new) as inserted from written`,
    [JSON.stringify(rows), now],
  );
  return count?.inserted ?? 0;
}

async function updateProgress(connection: Queryable, changes: readonly ProgressChange[]): Promise<number> {
  const [count] = await connection.query<{ saved: number }>(
    `with written as (
       update device set state = change.state, failure = change.failure, instance = change.instance, session = change.session,
         commenced_at = change."commencedAt", completed_at = change."completedAt",
         attempts = change.attempts, failures = change.failures, counter = change.counter, skipped = change.skipped, updated_at = change."updatedAt",
         history = ${TRIMMED_HISTORY}
       from json_to_recordset($1::json) as change (endpoint text, state text, failure text, instance text, session text,
         "commencedAt" bigint, "completedAt" bigint, attempts integer, failures integer, counter bigint, skipped integer, "updatedAt" bigint,
         ended jsonb)
       where device.endpoint = change.endpoint
       returning 1
     ) select count(*) as saved from written`,
    [JSON.stringify(changes.map(historyRow))],
  );
  return count?.saved ?? 0;
}

async function saveMarks(connection: Queryable, marks: readonly NotificationMark[]): Promise<void> {
  const highest = new Map<string, NotificationMark>();
  for (const mark of marks) {
    const key = JSON.stringify([mark.instance, mark.bootId]);
    if (mark.sequence >= (highest.get(key)?.sequence ?? 0)) highest.set(key, mark);
  }
  const given = JSON.stringify([...highest.values()]);
  const columns = `given (instance text, "bootId" text, sequence bigint, "updatedAt" bigint)`;
  await connection.query(
    `insert into notification_mark (instance, boot_id, sequence, updated_at)
     select instance, "bootId", sequence, "updatedAt" from json_to_recordset($1::json) as ${columns}
     on conflict (instance, boot_id) do update set
       sequence = greatest(notification_mark.sequence, excluded.sequence), updated_at = excluded.updated_at`,
    [given],
  );
  await connection.query(
    `delete from notification_mark using json_to_recordset($1::json) as ${columns}
     where notification_mark.instance = given.instance and notification_mark.updated_at < given."updatedAt" - ${OLD_MARK_AGE}`,
    [given],
  );
}

function lastOfEach<T extends { readonly endpoint: string }>(items: readonly T[]): T[] {
  return [...new Map(items.map((item) => [item.endpoint, item])).values()];
}

function* slices<T>(items: readonly T[]): Iterable<T[]> {
  for (let start = 0; start < items.length; start += ROWS_PER_STATEMENT) yield items.slice(start, start + ROWS_PER_STATEMENT);
}
