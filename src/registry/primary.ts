import {
  type FixedName,
  type NameState,
  NameStatesWriter,
  type Registry,
  RegistryUnavailable,
  readNameStates,
  type TsigKey,
  type Written,
  type Zone,
  ZoneContents,
  type ZoneTransfers,
} from "../dns/index.ts";
import type { Clock, Instant } from "../lib/clock.ts";
import { errorText } from "../lib/errors.ts";
import type { Logger } from "../lib/log.ts";
import type { Random } from "../lib/random.ts";
import type { Machine } from "../net/index.ts";
import { Journal } from "./journal.ts";
import { Notifier } from "./notifier.ts";
import { checkShare } from "./plan.ts";
import { type AskSecondary, secondarySerials } from "./secondary-serials.ts";
import { type PrimaryStore, SerialKeeper } from "./serial-keeper.ts";
import { Snapshots } from "./snapshots.ts";
import { type TransferStats, Transfers } from "./transfers.ts";

/** Options of {@link PrimaryRegistry}. */
export interface PrimaryOptions {
  /** Ready records of the zone; its own, not to be shared with others. */
  readonly zone: Zone;
  /** Signs all transfers and NOTIFY. */
  readonly key: TsigKey;
  /** Where NOTIFY goes, such as `192.0.2.53:53`. */
  readonly secondaries: readonly string[];
  /** Sends a datagram to one of them; what comes back goes to `notified`. */
  readonly send: (message: Uint8Array, secondary: string) => void;
  /** Asks one of them which serial it has, when serials begin. */
  readonly ask: AskSecondary;
  readonly store: PrimaryStore;
  /** Bytes that the journal may have; 64 a name, and from 256 KiB to 64 MiB, unless given. */
  readonly journalBytes?: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

const JOURNAL = { perName: 64, least: 256 * 1024, most: 64 * 1024 * 1024 } as const;

/**
 * A hidden primary (spec R4): holds the zone, tells secondaries of each change (RFC 1996), and gives them the zone or what changed
 * in it (RFC 5936, RFC 1995), all signed (RFC 8945). It holds no socket. As long as it does not lead, from its beginning to the
 * first `replace` and from `suspend` to the next one, it answers SERVFAIL, with which secondaries keep what they have.
 */
export class PrimaryRegistry implements Registry, ZoneTransfers, Machine {
  readonly #options: PrimaryOptions;
  readonly #fixed: readonly FixedName[];
  readonly #serials: SerialKeeper;
  readonly #journal: Journal = new Journal();
  readonly #snapshots: Snapshots;
  readonly #notifier: Notifier;
  readonly #transfers: Transfers;
  #contents: ZoneContents = new ZoneContents();
  #leads = false;
  #suspensions = 0;
  /** Another has led meanwhile: what is in the journal leads nowhere any more. */
  #overtaken = false;

  constructor(options: PrimaryOptions) {
    const { zone, store, clock } = options;
    this.#options = options;
    this.#fixed = zone.fixed;
    this.#serials = new SerialKeeper(store, clock);
    this.#snapshots = new Snapshots(zone);
    this.#notifier = new Notifier(options);
    this.#transfers = new Transfers({
      ...options,
      snapshots: this.#snapshots,
      journal: this.#journal,
      state: () => (this.#leads ? { serial: this.serial, contents: this.#contents } : undefined),
      overtaken: () => {
        if (this.#leads) this.#notifier.notify(this.serial);
      },
    });
  }

  get serial(): number {
    return this.#serials.current;
  }

  /** What secondaries have been given since the start. */
  get stats(): Readonly<TransferStats> {
    return this.#transfers.stats;
  }

  /** Takes the lead. The first time, it is held against how many names are remembered of the last time. */
  async replace(all: AsyncIterable<Uint8Array>, limit: number): Promise<Written> {
    const suspensions = this.#suspensions;
    const memory = this.#leads ? undefined : await this.#serials.resume();
    if (memory?.ours === false) {
      this.#overtaken = true;
      await this.#goPastSecondaries();
    }
    const desired = new ZoneContents(this.#contents.size);
    for await (const states of all)
      for (const state of readNameStates(states)) if (!this.#isFixed(state.name)) desired.set(state);
    const before = this.#contents;
    const unknown = before.size === 0 ? (memory?.names ?? 0) : 0;
    const old = new NameStatesWriter();
    const plan = { ...difference(before, desired, old), held: before.size + unknown };
    if (unknown > desired.size) plan.removed = unknown - desired.size;
    checkShare(plan, limit);
    const changed = plan.added + plan.changed + plan.removed;
    if (memory !== undefined || changed > 0) {
      await this.#prepare(desired.size);
      if (suspensions !== this.#suspensions) throw new RegistryUnavailable("busy", "the lease was lost meanwhile");
      this.#contents = desired;
      this.#advance(old.take());
      // From nothing to all is no step that a journal could tell better than a whole transfer. Where another has led meanwhile,
      // the serial before this one may be its, of a zone that is not known here.
      if (before.size === 0 || this.#overtaken) this.#journal.clear();
      this.#overtaken = false;
      this.#leads = true;
      this.#notifier.notify(this.serial);
    }
    return this.#written(changed);
  }

  /** @throws RegistryUnavailable before the first `replace`, and after `suspend` */
  async write(states: Uint8Array): Promise<Written> {
    this.#mustLead();
    await this.#prepare(this.#contents.size);
    this.#mustLead();
    const old = new NameStatesWriter();
    for (const state of readNameStates(states)) {
      if (this.#isFixed(state.name) || this.#contents.has(state)) continue;
      if (old.count === 0) this.#snapshots.settle();
      const { ipv4, ipv6 } = this.#contents.get(state.name) ?? {};
      old.add(state.name, state.name.length, ipv4, ipv6);
      this.#contents.set(state);
    }
    const changed = old.count;
    if (changed > 0) {
      this.#advance(old.take());
      this.#notifier.notify(this.serial);
      // A balancer that begins later compares with the number of names: this may have been the last write before. If it cannot be
      // stored, the next write says so.
      await this.#serials.prepare(this.#contents.size).catch(() => {});
    }
    return this.#written(changed);
  }

  /** The lease is not ours any more: nothing goes out before the next `replace`. Transfers under way end. */
  suspend(): void {
    this.#suspensions++;
    this.#leads = false;
    this.#notifier.stop();
  }

  respond(message: Uint8Array, transport: "udp" | "tcp"): AsyncIterable<Uint8Array> {
    return this.#transfers.respond(message, transport);
  }

  /** Takes a datagram that came to the socket which NOTIFY is sent from. */
  notified(message: Uint8Array): void {
    this.#notifier.answered(message);
  }

  nextDeadline(): Instant | undefined {
    return this.#notifier.nextDeadline();
  }

  tick(now: Instant): void {
    this.#notifier.tick(now);
  }

  async close(): Promise<void> {
    this.suspend();
    // If that fails, serials go on behind those that were set aside.
    await this.#serials.release().catch(() => {});
  }

  /** Where an old backup of the database was restored they may be ahead of what is remembered, and would take nothing. */
  async #goPastSecondaries(): Promise<void> {
    const { zone, log } = this.#options;
    const { serial: ours } = this;
    for (const { secondary, serial } of await secondarySerials({ ...this.#options, wire: zone.wire })) {
      if (!this.#serials.goPast(serial)) continue;
      log.info({ secondary, serial, ours }, "a secondary has a newer serial than ours: ours goes on from there");
    }
  }

  async #prepare(names: number): Promise<void> {
    try {
      await this.#serials.prepare(names);
    } catch (error) {
      const why = `the zone's serial cannot be stored: ${errorText(error)}`;
      throw new RegistryUnavailable("busy", why, { cause: error });
    }
  }

  #advance(old: Uint8Array): void {
    const { perName, least, most } = JOURNAL;
    const limit = this.#options.journalBytes ?? Math.min(most, Math.max(least, perName * this.#contents.size));
    this.#journal.append(this.serial, old, limit);
    this.#serials.advance();
    this.#transfers.changed();
  }

  #mustLead(): void {
    if (!this.#leads)
      throw new RegistryUnavailable("busy", "the hidden primary does not lead: it has to be given the whole zone first");
  }

  /** Name servers of the zone, and what is above them, are nobody's to publish. */
  #isFixed(name: Uint8Array): boolean {
    return this.#fixed.some((fixed) => Buffer.compare(fixed.name, name) === 0);
  }

  #written(changed: number): Written {
    return { changed, serial: this.serial, names: this.#contents.size };
  }
}

/** Counts what is different, and puts down how it was. */
function difference(
  before: ZoneContents,
  desired: ZoneContents,
  old: NameStatesWriter,
): { added: number; changed: number; removed: number } {
  const counts = { added: 0, changed: 0, removed: 0 };
  const note = ({ name }: NameState, state: NameState | undefined): void => old.add(name, name.length, state?.ipv4, state?.ipv6);
  if (before.size > 0) {
    for (const state of desired.entries()) {
      if (before.has(state)) continue;
      const was = before.get(state.name);
      if (was === undefined) counts.added++;
      else counts.changed++;
      note(state, was);
    }
    for (const was of before.entries()) {
      if (desired.get(was.name) !== undefined) continue;
      counts.removed++;
      note(was, was);
    }
  } else counts.added = desired.size;
  return counts;
}
