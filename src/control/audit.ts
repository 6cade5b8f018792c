import { z } from "zod";

/** What an entry of the audit log is about. */
export type AuditKind =
  | "rotation"
  | "rearming"
  | "removal"
  | "profile"
  | "source"
  | "instance-joined"
  | "instance-back"
  | "instance-lost"
  | "instance-left"
  | "instance-probation"
  | "instance-override"
  | "instance-drain"
  | "held"
  | "confirmed"
  | "fenced";

const AUDIT_KINDS: readonly [AuditKind, ...AuditKind[]] = [
  "rotation",
  "rearming",
  "removal",
  "profile",
  "source",
  "instance-joined",
  "instance-back",
  "instance-lost",
  "instance-left",
  "instance-probation",
  "instance-override",
  "instance-drain",
  "held",
  "confirmed",
  "fenced",
];

/** What set a change off: a person, the clock, a suspected leak of names, a rule of the configuration, an instance, a source, the balancer itself. */
export type AuditTrigger = "operator" | "timer" | "leak" | "rule" | "instance" | "source" | "balancer";

const AUDIT_TRIGGERS: readonly [AuditTrigger, ...AuditTrigger[]] = [
  "operator",
  "timer",
  "leak",
  "rule",
  "instance",
  "source",
  "balancer",
];

/** One change of the fleet's names or allocation, and why. It never holds live names or keys. */
export interface AuditEntry {
  /** Counts up; gaps mean nothing. */
  readonly id: number;
  /** By the balancer's clock, ms. */
  readonly at: number;
  readonly kind: AuditKind;
  /** The one endpoint, instance or profile it is about, if it is about one. */
  readonly subject: string | null;
  readonly trigger: AuditTrigger;
  /** Why, in words, such as what an operator said. */
  readonly reason: string;
  /** How many devices it touched, by what became of them. */
  readonly counts: Readonly<Record<string, number>>;
}

/** A page of the audit log; `before` is the last `id` of the page before. */
export interface AuditQuery {
  readonly before?: number | undefined;
  readonly limit?: number | undefined;
}
export interface AuditPage {
  /** The newest first. */
  readonly entries: readonly AuditEntry[];
  /** Give this as `before` for the next page; null at the end. */
  readonly next: number | null;
}

export const AuditQuerySchema: z.ZodType<AuditQuery> = z.strictObject({
  before: z.coerce.number().int().min(1).optional(),
  limit: z.coerce.number().int().min(1).max(1000).optional(),
});
export const AuditPageSchema: z.ZodType<AuditPage> = z.strictObject({
  entries: z.array(
    z.strictObject({
      id: z.number().int(),
      at: z.number().int(),
      kind: z.enum(AUDIT_KINDS),
      subject: z.string().nullable(),
      trigger: z.enum(AUDIT_TRIGGERS),
      reason: z.string(),
      counts: z.record(z.string(), z.number()),
    }),
  ),
  next: z.number().int().nullable(),
});
