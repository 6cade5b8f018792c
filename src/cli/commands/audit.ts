import type { Command } from "commander";
import type { AuditEntry, AuditPage } from "../../control/index.ts";
import { type ConnectOptions, connect } from "../connect.ts";
import { parseLimit } from "../numbers.ts";
import { connectOptions } from "../options.ts";
import { print, table } from "../terminal.ts";

/** What the control API gives at a time. */
const PAGE = 1000;

/** `berth audit`: what changed the fleet's names and allocation, and why. */
export function addAudit(program: Command): void {
  connectOptions(program.command("audit"))
    .description("show what changed the names and the allocation of devices, and why; the newest first")
    .option("--limit <n>", "at most so many entries", parseLimit, 50)
    .option("--json", "print them as JSON")
    .action(async ({ limit, json, ...options }: ConnectOptions & { limit: number; json?: true }) => {
      const client = connect(options);
      const entries: AuditEntry[] = [];
      for (let before: number | null | undefined; before !== null && entries.length < limit; ) {
        const query = { limit: Math.min(PAGE, limit - entries.length), ...(before === undefined ? {} : { before }) };
        const page: AuditPage = await client.call("audit", { query });
        entries.push(...page.entries);
        before = page.next;
      }
      client.close();
      if (json) return print(JSON.stringify(entries));
      if (entries.length > 0) print(table(entries.map(row)));
    });
}

function row({ at, kind, subject, trigger, reason, counts }: AuditEntry): Record<string, string> {
  return {
    at: new Date(at).toISOString(),
    kind,
    subject: subject ?? "-",
    trigger,
    reason: reason === "" ? "-" : reason,
    counts: Object.entries(counts)
      .map(([name, count]) => `${name} ${count}`)
      .join(", "),
  };
}
