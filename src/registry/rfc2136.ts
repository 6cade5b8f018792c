import {
  type NameChange,
  type NameState,
  nameToWire,
  type Registry,
  RegistryFenced,
  RegistryRefused,
  readNameStates,
  type Written,
  ZoneContents,
} from "../dns/index.ts";
import type { Milliseconds, Seconds } from "../lib/clock.ts";
import { InternalError } from "../lib/errors.ts";
import type { Logger } from "../lib/log.ts";
import type { Random } from "../lib/random.ts";
import { Batches, type BatchLimits, checkShare, HeldNames, type Owns, planChanges } from "./plan.ts";
import { isPassing, isPrerequisiteFailure, isUnknownOutcome, registryError } from "./rfc2136-errors.ts";
import { UpdateLink, type UpdateLinkOptions } from "./rfc2136-link.ts";
import { isOthers, mayTake, type Owner, OwnerRecord, type TextRecord } from "./rfc2136-owner.ts";

/** Options of {@link Rfc2136Registry}. */
export interface Rfc2136Options extends Omit<UpdateLinkOptions, "zone"> {
  /** As messages call the server, such as `127.0.0.1:53`. */
  readonly server: string;
  /** The zone's name, such as `bs.example.com`. */
  readonly zone: string;
  /** Of the names' addresses. */
  readonly ttl: Seconds;
  readonly owner: Owner;
  /** Which names are ours; all others are left alone. */
  readonly owns: Owns;
  readonly random: Random;
  /** Waits. */
  readonly pause: (span: Milliseconds) => Promise<void>;
  readonly log: Logger;
  /** Of one message. */
  readonly batch?: BatchLimits;
  /** Messages that may be under way at a time. */
  readonly window?: number;
  /** So often in a row nothing at all may go well before a write fails. */
  readonly attempts?: number;
}

const BATCH: BatchLimits = { names: 500, bytes: 60_000 };
const WINDOW = 8;
const ATTEMPTS = 5;
const FIRST_PAUSE: Milliseconds = 100;
/** So often somebody else may change TXT records between our reading and our writing. */
const RACES = 5;

/** Name states of one message. */
interface Batch {
  readonly states: Uint8Array;
  /** Whether what is known of these names is so: not if they have been in a message of unknown outcome. */
  sure: boolean;
}

/**
 * A primary of somebody else that takes dynamic updates (RFC 2136), signed (RFC 8945): BIND, Knot, PowerDNS. A message is carried
 * out whole or not at all, and repeating one does no harm. So what was not answered is sent again, and what this object
 * believes the server to hold is only what the server has confirmed.
 */
export class Rfc2136Registry implements Registry {
  readonly #options: Rfc2136Options;
  readonly #link: UpdateLink;
  readonly #wire: Uint8Array;
  /** What tells our owner records from those of others. */
  readonly #by: string;
  #taken = 0;
  #closed = false;
  #contents: ZoneContents | undefined;
  /** The record that we hold the zone by, and the one that we tried to and do not know the outcome of. */
  #claims: readonly OwnerRecord[] = [];
  /** Whether the last of the claims is in the zone, and nothing from before it can be carried out any more. */
  #holds = false;
  /** What is still to be written. */
  #left: readonly Batch[] = [];
  #fenced: RegistryFenced | undefined;
  #serial: number | null = null;
  /** Whether trouble has been told that is not over yet. */
  #troubled = false;

  constructor(options: Rfc2136Options) {
    this.#options = options;
    this.#wire = nameToWire(options.zone, "zone");
    this.#by = `${Buffer.from(options.random.bytes(8)).toString("hex")}.`;
    this.#link = new UpdateLink({ ...options, zone: this.#wire });
  }

  async replace(all: AsyncIterable<Uint8Array>, limit: number): Promise<Written> {
    this.#contents = undefined;
    this.#fenced = undefined;
    this.#left = [];
    // All names are much, and not asked for, again and again, while the server does not take any.
    await this.#persist(async () => {
      if (!this.#link.isOpen) await this.#link.open();
      mayTake(this.#options.zone, await this.#link.texts(), this.#options.owner);
    });
    const desired = new ZoneContents();
    for await (const states of all) for (const state of readNameStates(states)) desired.set(state);
    const batch = this.#options.batch ?? BATCH;
    // Looked at before: whoever the brake holds must not shut out a balancer that it does not hold.
    if (limit < 1) checkShare(planChanges(await this.#persist(() => this.#read()), desired, batch).plan, limit);
    const held = await this.#persist(async () => {
      // First the zone is ours, then it is read: nobody else's message comes between.
      await this.#take("seize");
      return this.#read();
    });
    const { plan, batches } = planChanges(held, desired, batch);
    this.#contents = held.contents;
    checkShare(plan, limit);
    this.#left = batches.map((states) => ({ states, sure: true }));
    await this.#writeLeft(held.contents);
    return this.#written(held.contents, plan.added + plan.changed + plan.removed);
  }

  async write(states: Uint8Array): Promise<Written> {
    const contents = this.#contents;
    if (this.#fenced !== undefined) throw this.#fenced;
    if (contents === undefined) throw new InternalError("a registry is compared before it is written to");
    await this.#writeLeft(contents);
    const last = new Map<string, NameState>();
    for (const state of readNameStates(states)) last.set(Buffer.from(state.name).toString("latin1"), state);
    const batches = new Batches(this.#options.batch ?? BATCH);
    let changed = 0;
    for (const state of last.values()) {
      if (contents.has(state)) continue;
      batches.add(state);
      changed++;
    }
    this.#left = batches.end().map((packed) => ({ states: packed, sure: true }));
    await this.#writeLeft(contents);
    return this.#written(contents, changed);
  }

  close(): Promise<void> {
    this.#closed = true;
    this.#link.drop();
    return Promise.resolve();
  }

  /** Writes what is left, again and again as long as some of it goes well. */
  async #writeLeft(contents: ZoneContents): Promise<void> {
    let before = this.#left.length;
    if (before === 0) return;
    const progress = (): boolean => {
      const some = this.#left.length < before;
      before = this.#left.length;
      return some;
    };
    await this.#persist(() => this.#round(contents), progress);
  }

  /** Sends all that is left, several messages at a time. What is confirmed is left no longer. */
  async #round(contents: ZoneContents): Promise<void> {
    if (!this.#link.isOpen) await this.#link.open();
    if (!this.#holds) await this.#take("keep");
    const queue = [...this.#left];
    const done = new Set<Batch>();
    let failure: { readonly error: unknown } | undefined;
    const worker = async (): Promise<void> => {
      for (let batch = queue.shift(); batch !== undefined && failure === undefined; batch = queue.shift()) {
        try {
          await this.#send(batch, contents);
          done.add(batch);
        } catch (error) {
          batch.sure = false;
          failure ??= { error };
          // The others that are under way will have no answer either, and wait for none.
          if (isUnknownOutcome(error)) this.#lose();
        }
      }
    };
    await Promise.all(Array.from({ length: this.#options.window ?? WINDOW }, worker));
    this.#left = this.#left.filter((batch) => !done.has(batch));
    if (failure === undefined) return;
    // Nothing has been carried out for it, but whether we may go on is another question.
    if (isPrerequisiteFailure(failure.error)) await this.#take("keep");
    throw failure.error;
  }

  async #send({ states, sure }: Batch, contents: ZoneContents): Promise<void> {
    const owner = this.#claims.at(-1);
    if (owner === undefined) throw new InternalError("an update without an owner record");
    const { ttl } = this.#options;
    await this.#link.update({ prerequisites: owner.required, ttl, changes: changesOf(states, sure ? contents : undefined) });
    for (const state of readNameStates(states)) contents.set(state);
  }

  /**
   * Makes the zone ours by a new owner record. `seize`: from whoever had it in an earlier reign, or in this one. `keep`: only if it
   * is ours now; this shuts out messages of our own that got lost on their way.
   */
  async #take(how: "seize" | "keep"): Promise<void> {
    const { zone, owner, ttl, log } = this.#options;
    this.#holds = false;
    if (!this.#link.isOpen) await this.#link.open();
    for (let race = 0; race < RACES; race++) {
      const texts = await this.#link.texts();
      mayTake(zone, texts, owner);
      if (how === "keep") this.#mayKeep(texts);
      // Of those that were sent before only the one that was sent in view of the same records can still be carried out, and it is
      // sent again: one more each time that it fails would be one more to remember.
      const unknown = this.#claims.find((claim) => claim.mayFollow(texts));
      const record = unknown ?? new OwnerRecord(texts, owner, `${this.#by}${this.#taken++}`);
      this.#claims = [...this.#claims.filter((claim) => claim.isIn(texts)), record];
      try {
        await this.#link.update({ prerequisites: record.beforeClaim, records: record.claim, ttl, changes: [] });
        this.#claims = [record];
        this.#holds = true;
        log.debug({ zone, term: owner.term }, "the zone's owner record is ours");
        return;
      } catch (error) {
        if (!isPrerequisiteFailure(error) || race === RACES - 1) throw error;
      }
    }
  }

  #mayKeep(texts: readonly TextRecord[]): void {
    if (this.#claims.some((claim) => claim.isIn(texts))) return;
    const { zone, owner } = this.#options;
    if (isOthers(texts, owner.term, this.#by)) {
      throw new RegistryFenced("fenced", `zone ${zone} is written by another balancer of this reign, term ${owner.term}`);
    }
    const why = "its owner record is gone, or an old one: it was edited, or restored from a copy";
    throw new RegistryRefused("zone", `zone ${zone} is not as we left it: ${why}; it has to be compared anew`);
  }

  async #read(): Promise<HeldNames> {
    const held = new HeldNames(this.#wire, this.#options.ttl, this.#options.owns);
    for await (const records of this.#link.transfer()) for (const record of records) held.add(record);
    return held;
  }

  /** Does what may fail for a while, with longer and longer pauses. @param progress whether some of it went well nonetheless */
  async #persist<Result>(work: () => Promise<Result>, progress: () => boolean = () => false): Promise<Result> {
    const { server, clock, log, random, pause, attempts = ATTEMPTS } = this.#options;
    for (let attempt = 1; ; attempt++) {
      try {
        const result = await work();
        this.#troubled = false;
        return result;
      } catch (error) {
        if (isUnknownOutcome(error)) this.#lose();
        const told = registryError(error, server, clock.now());
        if (told instanceof RegistryFenced) this.#fenced = told;
        if (progress()) attempt = 1;
        if (!isPassing(error) || attempt >= attempts || this.#closed) throw told;
        if (!this.#troubled) log.warn({ server, code: told.code }, `${told.message}; it is tried again`);
        this.#troubled = true;
        await pause(FIRST_PAUSE * 2 ** (attempt - 1) * (0.5 + random.uniform()));
      }
    }
  }

  #lose(): void {
    this.#link.drop();
    this.#holds = false;
  }

  async #written(contents: ZoneContents, changed: number): Promise<Written> {
    if (changed > 0 || this.#serial === null) {
      try {
        this.#serial = await this.#link.serial();
      } catch {
        // It was written; the serial is for those who look whether secondaries have it.
        this.#serial = null;
      }
    }
    return { changed, serial: this.#serial, names: contents.size };
  }
}

/** The changes that bring names into states. @param contents what the server holds, if that is known */
function* changesOf(states: Uint8Array, contents: ZoneContents | undefined): Generator<NameChange> {
  for (const state of readNameStates(states)) {
    yield contents === undefined ? state : { ...state, held: contents.get(state.name) ?? NOTHING };
  }
}

const NOTHING: Pick<NameState, "ipv4" | "ipv6"> = { ipv4: undefined, ipv6: undefined };
