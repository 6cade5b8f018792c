import type { Clock, Instant, Milliseconds } from "../lib/clock.ts";
import { BerthError, errorText } from "../lib/errors.ts";
import type { Logger } from "../lib/log.ts";
import { type Machine, pause } from "../net/index.ts";
import type { HeldLease, Storage } from "../storage/index.ts";

/** The lease of whoever may change names. */
const NAME = "balancer";
/** A lease that is not renewed runs out after this. */
const LEASE_SPAN: Milliseconds = 10_000;
/** So long before that it is not relied on any more: what is under way by then has to arrive. */
const MARGIN: Milliseconds = 2000;
/** How often one that stands by asks. */
const ASK_EVERY: Milliseconds = 1000;

/** Options of {@link Lease.take}. */
export interface LeaseOptions {
  readonly storage: Pick<Storage, "leases">;
  /** Who takes it: a text that no other balancer has, nor this one after a restart. People read it. */
  readonly holder: string;
  /** Nobody else can have the database open, so a lease that is there is of a process that is gone, and nobody will take this one. */
  readonly exclusive: boolean;
  /** Runs on evenly whatever becomes of the time of day, so that a span of it is a span: a monotonic one. */
  readonly time: Clock;
  readonly log: Logger;
  /** Gives up waiting. */
  readonly signal?: AbortSignal | undefined;
  /** Waits between two attempts; by the real clock if absent. */
  readonly wait?: ((span: Milliseconds, signal?: AbortSignal) => Promise<void>) | undefined;
}

/**
 * The right to change names, which one balancer has at a time (R6). It is renewed every third of its span. `mayWrite` is true only
 * while it cannot be another's yet: measured by a monotonic clock from before it was asked for, so that neither a slow database, nor
 * a process that stood still, nor a time of day that is wrong or set back lead two balancers to write at once. What is left is a
 * machine whose monotonic clock stood too, as one that was suspended: for the first moment it believes that it leads. What it then
 * stores on a server is refused there ({@link Lease.held}), and so is what it writes to a registry by the fence of that.
 */
export class Lease implements Machine {
  /** Counts those who have had the lease. */
  readonly term: number;
  /** Who let it run out before; null if nobody did. */
  readonly from: string | null;
  readonly #options: LeaseOptions;
  /** Before the last request that was granted was sent. */
  #since: Instant;
  #next: Instant;
  #running: Promise<void> | undefined;
  /** `unsure`: the database has not answered for too long, so another may have it. */
  #state: "ours" | "unsure" | "lost" | "released" = "ours";
  readonly #onLost: (() => void)[] = [];

  private constructor(options: LeaseOptions, since: Instant, taken: { term: number; from: string | null }) {
    this.#options = options;
    this.#since = since;
    this.#next = options.exclusive ? Number.POSITIVE_INFINITY : since + LEASE_SPAN / 3;
    this.term = taken.term;
    this.from = options.exclusive ? null : taken.from;
  }

  /**
   * Takes the lease; while another has it, waits until that gives it back or is gone.
   * @throws BerthError `aborted` if the signal says so before; StorageError if the database does not answer the first time
   */
  static async take(options: LeaseOptions): Promise<Lease> {
    const { storage, holder, exclusive, time, log, signal, wait = pause } = options;
    let waitsFor: string | undefined;
    while (true) {
      if (signal?.aborted) throw new BerthError("aborted", "told to stop while waiting for the lease");
      const since = time.now();
      try {
        const taking = await storage.leases.take(NAME, holder, LEASE_SPAN, exclusive);
        if (taking.taken) {
          const { term, from } = taking;
          log.info({ holder, term, from }, "this balancer leads");
          return new Lease(options, since, taking);
        }
        if (taking.holder !== waitsFor)
          log.info({ holder: taking.holder }, "standing by: waiting for the lease that another holds");
        waitsFor = taking.holder;
      } catch (error) {
        if (waitsFor === undefined) throw error;
        log.warn({ error: errorText(error) }, "standing by: the database does not answer");
      }
      await wait(ASK_EVERY, signal);
    }
  }

  /** By what the database knows it. */
  get held(): HeldLease {
    return { name: NAME, holder: this.#options.holder, term: this.term };
  }

  /** Whether names, and what is stored, may be changed now. Once `lost` is true it stays false. */
  get mayWrite(): boolean {
    this.#look();
    return this.#state === "ours";
  }

  /** Whether another balancer has the lease now: this one must not write again. */
  get lost(): boolean {
    return this.#state === "lost";
  }

  /** Calls back once if the lease is lost. */
  onLost(callback: () => void): void {
    if (this.lost) callback();
    else this.#onLost.push(callback);
  }

  /** By the clock it was given. */
  nextDeadline(): Instant | undefined {
    return this.#next === Number.POSITIVE_INFINITY ? undefined : this.#next;
  }

  tick(): void {
    this.#look();
    if (this.#running !== undefined || this.#options.time.now() < this.#next) return;
    this.#running = this.#renew().finally(() => {
      this.#running = undefined;
    });
  }

  /** Resolves when the database is not being asked. */
  async idle(): Promise<void> {
    await this.#running;
  }

  /** Gives it back, so that another need not wait until it runs out. It must not be relied on any more then. */
  async release(): Promise<void> {
    const { storage, holder, log } = this.#options;
    this.#next = Number.POSITIVE_INFINITY;
    const wasLost = this.lost;
    this.#state = wasLost ? "lost" : "released";
    await this.#running;
    if (wasLost) return;
    try {
      await storage.leases.release(NAME, holder);
    } catch (error) {
      log.warn({ error: errorText(error) }, "the lease could not be given back; it runs out by itself");
    }
  }

  async #renew(): Promise<void> {
    const { storage, holder, log } = this.#options;
    const since = this.#options.time.now();
    // Asked again soon if it fails.
    this.#next = since + ASK_EVERY;
    try {
      const isOurs = await storage.leases.renew(NAME, holder, LEASE_SPAN);
      if (this.#state === "released") return;
      if (!isOurs) return this.#lose();
      this.#since = since;
      this.#next = since + LEASE_SPAN / 3;
      if (this.#state === "unsure" && this.#isFresh()) {
        this.#state = "ours";
        log.warn({ term: this.term }, "the lease is still ours: names may be changed again");
      }
    } catch (error) {
      log.warn({ error: errorText(error) }, "the lease could not be renewed");
    }
  }

  #lose(): void {
    this.#state = "lost";
    this.#next = Number.POSITIVE_INFINITY;
    this.#options.log.error({ term: this.term }, "another balancer has taken the lease: this one changes nothing any more");
    for (const callback of this.#onLost) callback();
  }

  #look(): void {
    if (this.#state !== "ours" || this.#isFresh()) return;
    this.#state = "unsure";
    this.#options.log.error(
      { term: this.term, silent: this.#options.time.now() - this.#since },
      "the lease was not renewed in time: nothing is changed until the database says that it is still ours",
    );
  }

  #isFresh(): boolean {
    return this.#options.exclusive || this.#options.time.now() - this.#since < LEASE_SPAN - MARGIN;
  }
}
