import type { Database } from "./database.ts";
import type { Leases } from "./types.ts";

interface LeaseRow {
  readonly holder: string;
  readonly term: number;
  /** ms that it runs on; 0 or less: it has run out. */
  readonly left: number;
}

/** Nobody: as a lease is that was given back. */
const NOBODY = "";
/** The server's clock as it runs; `now()` stands still within a transaction, which may have waited. */
const LEFT = "(extract(epoch from until - clock_timestamp()) * 1000)::float8";
const UNTIL = "clock_timestamp() + $3::float8 * interval '1 millisecond'";

/** Leases: at most one holder each at any time, by the clock of the database. */
export function createLeases(database: Database): Leases {
  return {
    async take(name, holder, span, exclusive = false) {
      // Who stands by asks every second: it locks the row, which would hold up who leads, only when there is something to get.
      const [seen] = await database.query<LeaseRow>(`select holder, term, ${LEFT} as left from lease where name = $1`, [name]);
      if (seen !== undefined && !exclusive && isAnothers(seen, holder)) {
        return { taken: false, holder: seen.holder, left: seen.left };
      }
      return database.transaction(async (connection) => {
        await connection.query(
          "insert into lease (name, holder, term, until) values ($1, $2, 0, clock_timestamp()) on conflict (name) do nothing",
          [name, NOBODY],
        );
        const [before] = await connection.query<LeaseRow>(
          `select holder, term, ${LEFT} as left from lease where name = $1 for update`,
          [name],
        );
        const { holder: last, term: lastTerm, left } = before ?? { holder: NOBODY, term: 0, left: 0 };
        if (before !== undefined && !exclusive && isAnothers(before, holder)) return { taken: false, holder: last, left };
        const term = last === holder ? lastTerm : lastTerm + 1;
        await connection.query(`update lease set holder = $2, term = $4, until = ${UNTIL} where name = $1`, [
          name,
          holder,
          span,
          term,
        ]);
        return { taken: true, term, from: last === NOBODY || last === holder ? null : last };
      });
    },

    async renew(name, holder, span) {
      const sql = `update lease set until = ${UNTIL} where name = $1 and holder = $2 returning term`;
      return (await database.query(sql, [name, holder, span])).length > 0;
    },

    async release(name, holder) {
      await database.query("update lease set holder = $3, until = clock_timestamp() where name = $1 and holder = $2", [
        name,
        holder,
        NOBODY,
      ]);
    },
  };
}

function isAnothers({ holder, left }: LeaseRow, asking: string): boolean {
  return holder !== NOBODY && holder !== asking && left > 0;
}
