/** How bad a finding is: an `error` keeps devices from their instance, now or soon; a `warning` may be meant so. */
export type Level = "ok" | "warning" | "error";

/** What a check found: what was seen, and what to do. Never holds a live name or a key. */
export interface Finding {
  /** The check that found it; `docs/dns/check.md` has a section for each. */
  readonly check: string;
  readonly level: Level;
  /** Such as `192.0.2.53:53`; null where it is about none alone. */
  readonly server: string | null;
  /** What was seen, and why it matters. */
  readonly message: string;
  /** What to do; null where there is nothing to be done. */
  readonly advice: string | null;
}

/** Where a finding belongs. */
export interface Subject {
  readonly check: string;
  readonly server?: { readonly name: string } | undefined;
}

/** All is well. */
export function ok(subject: Subject, message: string): Finding {
  return finding(subject, "ok", message, null);
}

export function warning(subject: Subject, message: string, advice: string): Finding {
  return finding(subject, "warning", message, advice);
}

export function error(subject: Subject, message: string, advice: string): Finding {
  return finding(subject, "error", message, advice);
}

function finding({ check, server }: Subject, level: Level, message: string, advice: string | null): Finding {
  return { check, level, server: server?.name ?? null, message, advice };
}
