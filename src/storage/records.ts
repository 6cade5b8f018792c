import { isDeepStrictEqual } from "node:util";
import { change, type Database, type Queryable } from "./database.ts";
import type { SecretBox } from "./secret-box.ts";
import type { Instances, Profiles, Settings, StoredInstance, StoredProfile } from "./types.ts";

interface ProfileRow {
  readonly name: string;
  readonly version: number;
  readonly sealed: string;
  readonly updatedAt: number;
}

const PROFILE_COLUMNS = `name, version, encode(sealed, 'base64') as sealed, updated_at as "updatedAt"`;

/** The bootstrap profiles, their bodies sealed by `box`. */
export function createProfiles(database: Database, box: SecretBox): Profiles {
  const open = ({ sealed, ...row }: ProfileRow): StoredProfile => {
    const body = box.open(Buffer.from(sealed, "base64"), contextOf(row.name));
    return { ...row, body: JSON.parse(Buffer.from(body).toString()) as unknown };
  };
  const get = async (connection: Queryable, name: string): Promise<StoredProfile | undefined> => {
    const [row] = await connection.query<ProfileRow>(`select ${PROFILE_COLUMNS} from profile where name = $1`, [name]);
    return row === undefined ? undefined : open(row);
  };
  return {
    put: (name, body, now) =>
      database.transaction(async (connection) => {
        await connection.query("lock table profile in share row exclusive mode");
        const text = JSON.stringify(body);
        const known = await get(connection, name);
        if (known !== undefined && isDeepStrictEqual(known.body, JSON.parse(text))) return known;
        const version = (known?.version ?? 0) + 1;
        const sealed = Buffer.from(box.seal(Buffer.from(text), contextOf(name))).toString("base64");
        await connection.query(
          `insert into profile (name, version, sealed, updated_at) values ($1, $2, decode($3, 'base64'), $4)
           on conflict (name) do update set version = excluded.version, sealed = excluded.sealed, updated_at = excluded.updated_at`,
          [name, version, sealed, now],
        );
        return { name, version, body: JSON.parse(text) as unknown, updatedAt: now };
      }),
    get: (name) => get(database, name),
    async all() {
      return (await database.query<ProfileRow>(`select ${PROFILE_COLUMNS} from profile order by name`)).map(open);
    },
  };
}

function contextOf(profile: string): string {
  return `profile:${profile}`;
}

/** The instances the balancer remembers over a restart. */
export function createInstances(database: Database): Instances {
  return {
    async put({ id, ipv4, ipv6, state, registeredAt, lastSeen }) {
      await change(
        database,
        `insert into instance (id, ipv4, ipv6, state, registered_at, last_seen) values ($1, $2, $3, $4, $5, $6)
         on conflict (id) do update set ipv4 = excluded.ipv4, ipv6 = excluded.ipv6, state = excluded.state,
           registered_at = excluded.registered_at, last_seen = excluded.last_seen`,
        [id, ipv4, ipv6, state, registeredAt, lastSeen],
      );
    },
    all: () =>
      database.query<StoredInstance>(
        `select id, ipv4, ipv6, state, registered_at as "registeredAt", last_seen as "lastSeen" from instance order by id`,
      ),
  };
}

/** Small values by key. */
export function createSettings(database: Database): Settings {
  return {
    async get(key) {
      const [row] = await database.query<{ value: unknown }>("select value from setting where key = $1", [key]);
      return row?.value;
    },
    async put(key, value) {
      await change(
        database,
        "insert into setting (key, value) values ($1, $2::json) on conflict (key) do update set value = excluded.value",
        [key, JSON.stringify(value)],
      );
    },
  };
}
