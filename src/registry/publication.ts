import type { PublicationControl, PublicationStatus } from "../control/index.ts";
import {
  type Registry,
  RegistryFenced,
  RegistryHeld,
  type RegistryKind,
  RegistryRefused,
  sampleStates,
  type Written,
  type ZoneFeed,
} from "../dns/index.ts";
import type { Clock, Instant, Milliseconds } from "../lib/clock.ts";
import { errorText } from "../lib/errors.ts";
import type { Logger } from "../lib/log.ts";
import { SteadyClock } from "../lib/steady-clock.ts";
import type { Machine } from "../net/index.ts";
import type { ComparisonBrakeOptions } from "./comparison-brake.ts";
import { ComparisonBrake } from "./comparison-brake.ts";
import type { Observer } from "./observer.ts";

/** Options of {@link Publication}. */
export interface PublicationOptions extends Pick<ComparisonBrakeOptions, "store" | "steps" | "brake"> {
  readonly kind: Exclude<RegistryKind, "embedded">;
  /** Of the zone table that is to be published. */
  readonly feed: ZoneFeed;
  /** How many names the zone table has. */
  readonly size: () => number;
  /** The share (0-1) of devices whose state is in the zone table, and not in the database yet. */
  readonly unstored: () => number;
  readonly registry: Registry;
  readonly observer: Observer;
  /** Whether this balancer leads (spec R6). */
  readonly mayWrite: () => boolean;
  /** The lease is not ours: nothing is to be given out before the next comparison. */
  readonly suspend: () => void;
  /** From one write to the next at least. */
  readonly pace: Milliseconds;
  /** How long an epoch's names may take to be written; they are published ahead of it by this much more than they have to. */
  readonly inTime: Milliseconds;
  /** Names in one write at most. */
  readonly largest: number;
  readonly clock: Clock;
  readonly breathe: () => Promise<void>;
  /** Waits. */
  readonly pause: (span: Milliseconds, signal: AbortSignal) => Promise<void>;
  readonly log: Logger;
}

/** What is done next. */
type Phase =
  /** All that the registry has is compared with what it should have: at start, on demand, and after a fault. */
  { readonly is: "comparing" } | { readonly is: "following" } | { readonly is: "held" | "fenced"; readonly why: string };

/** Names looked up at a stretch: about a millisecond. */
const SLICE = 1000;
const RETRY_FIRST: Milliseconds = 500;
const RETRY_LAST: Milliseconds = 15_000;
/** A write that is under way when publication is closed may end within this: names are not to wait for the next balancer. */
const LAST_WRITE: Milliseconds = 2000;

/**
 * Brings what changes in the zone table into a registry, sees to it that only the balancer that leads does so, and knows what
 * is published. A machine: whoever has it calls `tick`.
 */
export class Publication implements Machine, PublicationControl {
  readonly #options: PublicationOptions;
  readonly #brake: ComparisonBrake;
  /** For pauses: a clock that is set back must not make names wait. */
  readonly #time: SteadyClock;
  #phase: Phase = { is: "comparing" };
  /** Why the registry does not take changes now; null if it does. */
  #fault: { readonly code: unknown; readonly why: string } | null = null;
  #retryIn: Milliseconds = RETRY_FIRST;
  #notBefore: Instant = 0;
  /** Since when changes wait that are not written. */
  #since: Instant | undefined;
  /** Since when one write follows the other, as there is more than one takes. */
  #writingSince: Instant | undefined;
  #names = 0;
  /** Names in the write that is under way. */
  #underWay = 0;
  #confirmed = false;
  #leads = true;
  /** Ends when it is written down that much waits, if it can be. */
  #marked: Promise<void> = Promise.resolve();
  /** How often the lead was lost, if only for a moment. */
  #lapses = 0;
  #working: Promise<void> | undefined;
  #compared: { readonly resolve: () => void; readonly reject: (error: unknown) => void }[] = [];
  #closed = false;

  constructor(options: PublicationOptions) {
    this.#options = options;
    this.#time = new SteadyClock(options.clock);
    this.#brake = new ComparisonBrake(options);
  }

  nextDeadline(): Instant {
    return this.#options.clock.now();
  }

  tick(): void {
    const { feed, clock, mayWrite, suspend, observer } = this.#options;
    const now = clock.now();
    const leads = mayWrite();
    const look = observer.nextDeadline();
    if (look !== undefined && look <= now) observer.tick();
    if (feed.pending > 0) this.#since = Math.min(now, this.#since ?? now);
    if (!this.#closed) this.#noteWaiting(leads);
    if (this.#leads && !leads) {
      suspend();
      this.#lapses++;
      if (this.#phase.is === "following") this.#phase = { is: "comparing" };
    }
    this.#leads = leads;
    if (this.#phase.is === "following" && feed.overrun) this.#phase = { is: "comparing" };
    const { is } = this.#phase;
    const idle = is === "held" || is === "fenced" || (is === "following" && feed.pending === 0);
    if (this.#closed || this.#working !== undefined || idle || this.#time.now() < this.#notBefore || !leads) return;
    this.#working = this.#work().finally(() => {
      this.#working = undefined;
    });
  }

  view(): PublicationStatus {
    const { kind, feed, observer, mayWrite } = this.#options;
    const waiting = feed.pending + this.#underWay;
    return {
      registry: kind,
      state: this.#state(waiting, mayWrite()),
      names: this.#names,
      waiting,
      since: this.#since ?? null,
      lastLag: observer.lastLag,
      servers: [...observer.views()],
      explanation: this.#explanation(mayWrite()),
    };
  }

  async confirm(): Promise<boolean> {
    if (this.#phase.is !== "held") return false;
    this.#confirmed = true;
    this.#phase = { is: "comparing" };
    this.#notBefore = 0;
    return true;
  }

  /**
   * Where another has the zone it is tried once: somebody may have seen to it that no other is there.
   * @throws what the registry says to it; {@link RegistryHeld} too
   */
  compare(): Promise<void> {
    if (this.#phase.is === "held") return Promise.reject(new RegistryRefused("held", this.#phase.why));
    if (this.#phase.is === "fenced" && !this.#options.mayWrite())
      return Promise.reject(new RegistryFenced("fenced", this.#phase.why));
    this.#phase = { is: "comparing" };
    this.#notBefore = 0;
    return new Promise((resolve, reject) => this.#compared.push({ resolve, reject }));
  }

  /** Ends what is under way, and gives the registry back. Names stay published. */
  async close(): Promise<void> {
    const { observer, registry, log, pause } = this.#options;
    this.#closed = true;
    observer.close();
    // A server that does not answer must hold up neither this nor the balancer that is to take over.
    const ended = new AbortController();
    await Promise.race([this.#working, this.#working && pause(LAST_WRITE, ended.signal)]);
    ended.abort();
    await registry.close();
    await this.#working;
    this.#noteWaiting(false);
    for (const { reject } of this.#compared.splice(0)) reject(new RegistryRefused("closed", "publication has ended"));
    try {
      await this.#brake.save();
    } catch (error) {
      // So where the lease is lost: whoever has it writes down what it publishes.
      log.warn({ error: errorText(error) }, "what is published was not written down");
    }
  }

  async #work(): Promise<void> {
    const { log, pace, kind } = this.#options;
    const comparing = this.#phase.is === "comparing";
    const waiting = comparing ? this.#compared.splice(0) : [];
    try {
      const written = comparing ? await this.#compare() : await this.#follow();
      if (this.#fault !== null) log.info({ registry: kind }, "the registry takes changes again");
      this.#fault = null;
      this.#retryIn = RETRY_FIRST;
      this.#names = written.names;
      this.#underWay = 0;
      this.#notBefore = this.#time.now() + pace;
      for (const { resolve } of waiting) resolve();
      await this.#remember(written.names);
    } catch (error) {
      this.#failed(error);
      for (const { reject } of waiting) reject(error);
    } finally {
      this.#underWay = 0;
    }
  }

  /** While a generation is on its way in or out, the names of both are there. */
  #remember(names: number): Promise<void> {
    return this.#writtenDown(this.#brake.published(names, this.#time.now(), !this.#options.feed.hasWhole));
  }

  async #writtenDown(saving: Promise<void>): Promise<void> {
    try {
      await saving;
    } catch (error) {
      const message = "what is published could not be written down; it will be the next time";
      this.#options.log.error({ error: errorText(error) }, message);
    }
  }

  /**
   * Lets the brake know what the next balancer would find different if this one ended now. In a comparison that is not known: all
   * is to be looked at.
   * @param leads whether it may be written down
   */
  #noteWaiting(leads: boolean): void {
    const { feed, size, unstored } = this.#options;
    if (this.#phase.is !== "following") return;
    const names = Math.max(size(), this.#names);
    const waiting = feed.overrun ? names : feed.pending + this.#underWay;
    const isMore = this.#brake.waiting(Math.max(waiting, unstored() * names));
    if (!leads) return;
    if (isMore) this.#marked = this.#writtenDown(this.#brake.save());
    else void this.#writtenDown(this.#brake.saveDue(this.#time.now()));
  }

  async #compare(): Promise<Written> {
    const { feed, registry, observer, size, clock, log, kind, mayWrite, suspend } = this.#options;
    const at = this.#since ?? clock.now();
    const lapses = this.#lapses;
    const limit = await this.#brake.limit(size(), this.#confirmed);
    this.#underWay = size();
    const written = await registry.replace(this.#inSlices(feed), limit);
    if (lapses !== this.#lapses || !mayWrite()) {
      suspend();
      throw new RegistryRefused("lease", "the lease was not ours all the while");
    }
    // Who asked for a comparison meanwhile gets another.
    if (this.#compared.length === 0) this.#phase = { is: "following" };
    this.#confirmed = false;
    this.#since = undefined;
    log.info({ registry: kind, ...written }, "the registry has been compared, and holds what it should");
    observer.published({ at, serial: written.serial, samples: [] });
    return written;
  }

  async #follow(): Promise<Written> {
    const { feed, registry, observer, clock, mayWrite } = this.#options;
    const at = this.#since ?? clock.now();
    this.#writingSince ??= clock.now();
    const states = await this.#gather();
    const gathered = clock.now();
    this.#noteWaiting(mayWrite());
    await this.#marked;
    try {
      // Time has passed, in which another may have taken the lead.
      if (!mayWrite()) throw new RegistryRefused("lease", "the lease is not ours");
      const written = await registry.write(states);
      this.#since = feed.pending > 0 ? gathered : undefined;
      observer.published({ at, serial: written.serial, samples: sampleStates(states, 5) });
      if (feed.pending === 0) this.#caughtUp();
      return written;
    } catch (error) {
      this.#writingSince = undefined;
      feed.putBack(states);
      this.#since = at;
      throw error;
    }
  }

  #caughtUp(): void {
    const { clock, inTime, kind, log } = this.#options;
    const took = clock.now() - (this.#writingSince ?? clock.now());
    this.#writingSince = undefined;
    if (took <= inTime) return;
    const seconds = Math.round(took / 1000);
    log.warn(
      { registry: kind, seconds },
      "names took longer to be written than epochs.lead leaves: raise it, or take a faster registry",
    );
  }

  /** What waits, as far as one write takes it. */
  async #gather(): Promise<Uint8Array> {
    const { feed, largest, breathe } = this.#options;
    const parts: Uint8Array[] = [];
    for (let count = 0; count < largest; count += SLICE) {
      const before = feed.pending;
      const states = feed.take(SLICE);
      if (states === undefined) break;
      parts.push(states);
      this.#underWay += Math.max(0, before - feed.pending);
      await breathe();
    }
    // No Buffer: what is sliced off one is no copy, and a few samples would keep all of it.
    const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
    let at = 0;
    for (const part of parts) {
      all.set(part, at);
      at += part.length;
    }
    return all;
  }

  async *#inSlices(feed: ZoneFeed): AsyncGenerator<Uint8Array> {
    for (const states of feed.all(SLICE)) {
      yield states;
      await this.#options.breathe();
    }
  }

  #failed(error: unknown): void {
    const { log, kind } = this.#options;
    const why = errorText(error);
    if (error instanceof RegistryHeld) {
      this.#phase = { is: "held", why };
      log.error({ registry: kind, ...error.plan }, `${why}; nothing is published until somebody confirms it: berth confirm`);
      return;
    }
    if (error instanceof RegistryFenced) {
      this.#phase = { is: "fenced", why };
      log.error({ registry: kind }, `${why}; this balancer publishes nothing any more, unless somebody says: berth compare`);
      return;
    }
    const code = error instanceof Error && "code" in error ? error.code : "internal";
    // The zone is not as it was left, such as one restored from a copy: what it holds has to be read again.
    if (code === "zone") this.#phase = { is: "comparing" };
    // The same trouble is told once, and again when it is another. Its words may hold numbers that change.
    if (this.#fault?.code !== code && !this.#closed) log.error({ registry: kind, code }, `names cannot be published: ${why}`);
    this.#fault = { code, why };
    this.#notBefore = this.#time.now() + this.#retryIn;
    this.#retryIn = Math.min(RETRY_LAST, this.#retryIn * 2);
  }

  #state(waiting: number, leads: boolean): PublicationStatus["state"] {
    const { is } = this.#phase;
    if (is === "held" || is === "fenced") return is;
    if (!leads) return "waiting";
    if (this.#fault !== null) return "failing";
    return waiting > 0 || is === "comparing" ? "behind" : "following";
  }

  #explanation(leads: boolean): string | null {
    if (this.#phase.is === "held" || this.#phase.is === "fenced") return this.#phase.why;
    if (!leads) return "another balancer holds the lease, or the database cannot be reached to renew it";
    if (this.#fault !== null) return this.#fault.why;
    return this.#phase.is === "comparing" ? "all that the registry has is compared with what it should have" : null;
  }
}
