import type { AuditEntry } from "../control/index.ts";
import type { Database } from "./database.ts";
import type { AuditLog } from "./types.ts";

/** How many entries are kept. */
const AUDIT_LENGTH = 10_000;
/** As many more may stand there until they are removed together. */
const SURPLUS = 500;

/** The audit log. */
export function createAuditLog(database: Database): AuditLog {
  return {
    async add(entries) {
      if (entries.length === 0) return;
      await database.transaction(async (connection) => {
        const [added] = await connection.query<{ last: number }>(
          `with added as (
             insert into audit (at, kind, subject, trigger, reason, counts)
             select at, kind, subject, trigger, reason, counts
             from json_to_recordset($1::json) as given (at bigint, kind text, subject text, trigger text, reason text, counts json)
             returning id
           ) select max(id) as last from added`,
          [JSON.stringify(entries)],
        );
        const last = added?.last ?? 0;
        // Ids count up by one, so that now and then one of them is a multiple.
        if (Math.floor(last / SURPLUS) === Math.floor((last - entries.length) / SURPLUS)) return;
        await connection.query("delete from audit where id <= $1", [last - AUDIT_LENGTH]);
      });
    },

    page: ({ before, limit }) =>
      database.query<AuditEntry>(
        `select id, at, kind, subject, trigger, reason, counts from audit where $1::bigint is null or id < $1 order by id desc limit $2`,
        [before ?? null, limit],
      ),
  };
}
