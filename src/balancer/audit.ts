import type { AuditEntry, AuditPage, AuditQuery } from "../control/index.ts";
import type { Clock } from "../lib/clock.ts";
import type { Logger } from "../lib/log.ts";
import type { AuditLog } from "../storage/index.ts";
import { Turns } from "./turns.ts";

/** What there is to say of a change; when it is said is noted with it. */
export type AuditNote = Pick<AuditEntry, "kind" | "trigger" | "reason"> & Partial<Pick<AuditEntry, "subject" | "counts">>;

/** Entries that wait for the database; more of them are lost, while it is away. */
const WAITING = 10_000;
/** Entries stored at a time. */
const CHUNK = 500;

/** The audit log: what changed the fleet's names or allocation, and why. Never give it names or keys. */
export class Audit {
  readonly #log: AuditLog;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #turns: Turns = new Turns();
  readonly #waiting: Omit<AuditEntry, "id">[] = [];

  constructor(log: AuditLog, clock: Clock, logger: Logger) {
    this.#log = log;
    this.#clock = clock;
    this.#logger = logger;
  }

  /** Notes a change; {@link save} stores it. */
  note({ kind, trigger, reason, subject = null, counts = {} }: AuditNote): void {
    const about = subject === null ? null : storable(subject);
    const entry = { at: this.#clock.now(), kind, subject: about, trigger, reason: storable(reason), counts };
    if (this.#waiting.length < WAITING) this.#waiting.push(entry);
    else this.#logger.error(entry, "the audit log cannot be stored, and this entry of it is lost");
  }

  /** How many entries {@link save} has to store. */
  get unsaved(): number {
    return this.#waiting.length;
  }

  /** Stores what waits. What cannot be stored now will be the next time. @throws StorageError */
  save(): Promise<void> {
    return this.#turns.run(async () => {
      while (this.#waiting.length > 0) {
        const chunk = this.#waiting.slice(0, CHUNK);
        await this.#log.add(chunk);
        this.#waiting.splice(0, chunk.length);
      }
    });
  }

  /** A page of the log, the newest entries first. @throws StorageError */
  async page({ before, limit = 100 }: AuditQuery): Promise<AuditPage> {
    await this.save();
    const entries = await this.#log.page({ before, limit });
    return { entries, next: entries.length < limit ? null : (entries.at(-1)?.id ?? null) };
  }
}

/** What people and programs gave as a reason, without what no database takes: NUL, and halves of surrogate pairs. */
function storable(text: string): string {
  return Buffer.from(text, "utf8").toString("utf8").replaceAll("\0", "");
}
