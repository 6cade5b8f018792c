import type { PublicationServer } from "../control/index.ts";
import { type NameState, nameToWire } from "../dns/index.ts";
import { addressAndPort } from "../lib/address.ts";
import type { Clock, Instant, Milliseconds } from "../lib/clock.ts";
import type { Logger } from "../lib/log.ts";
import type { Random } from "../lib/random.ts";
import { SteadyClock } from "../lib/steady-clock.ts";
import type { DnsServer, Machine } from "../net/index.ts";
import { type Ask, type Mark, type Observation, observe } from "./observation.ts";

/** Options of {@link Observer}. */
export interface ObserverOptions {
  /** The zone's name. */
  readonly zone: string;
  /** The servers that devices' resolvers ask, and those in between. */
  readonly servers: readonly DnsServer[];
  readonly clock: Clock;
  /** Of the ids of queries. */
  readonly random: Random;
  readonly ask: Ask;
  readonly log: Logger;
}

/** A change that was written to the registry. */
export interface Published {
  /** When it was decided, ms. */
  readonly at: Instant;
  /** The zone's serial with it; null where the registry does not tell. */
  readonly serial: number | null;
  /** A few of the names that changed, as they are with it. They are secrets: nobody but the servers is told. */
  readonly samples: readonly NameState[];
}

interface Change extends Mark {
  readonly at: Instant;
  readonly sequence: number;
}

interface Watched {
  readonly server: DnsServer;
  readonly name: string;
  serial: number | null;
  fault: string | null;
  contradicts: boolean;
  /** Sequence of the latest change that it has. */
  has: number;
  /** When it is asked next, and how long it is left alone after that. */
  due: Instant;
  wait: Milliseconds;
  asking: boolean;
  /** Whether the log has it as troubled. */
  told: boolean;
}

/** After a change a server is asked this soon, and then ever more seldom while it does not have it. */
const SOONEST: Milliseconds = 50;
const SELDOM: Milliseconds = 2000;
/** A server that does not answer is asked again after 1 s, and then ever more seldom. */
const AFTER_FAULT: Milliseconds = 1000;
const LONGEST_AFTER_FAULT: Milliseconds = 15_000;
/** A server that has everything is asked this often, as it may fail meanwhile. */
const IDLE: Milliseconds = 30_000;
/** Being behind for longer is a problem: names are published ahead of their use, but not much more than that. */
const PATIENCE: Milliseconds = 15_000;
/** Names with addresses that are asked for, of each change. */
const SAMPLES_THERE = 2;
/** Changes that are remembered for servers that lack them. */
const REMEMBERED = 64;

/**
 * Sees to it that publication is observed, not assumed: after each change it asks the servers that matter until they have it.
 * A machine: whoever has it calls `tick`.
 */
export class Observer implements Machine {
  readonly #options: ObserverOptions;
  /** For spans: a clock that is set back must not make servers wait to be asked. */
  readonly #time: SteadyClock;
  readonly #wire: Uint8Array;
  readonly #watched: readonly Watched[];
  /** Those that some server lacks, in their order. */
  #changes: Change[] = [];
  #sequence = 0;
  /** The last one there was, whoever has it: a server may lose it again. */
  #latest: Change | undefined;
  /** Sequence of the last one that all servers had. */
  #settled = 0;
  #lastLag: Milliseconds | null = null;
  #closed = false;

  /** Asks each server at the first tick. @throws InvalidInput for a zone that is no DNS name */
  constructor(options: ObserverOptions) {
    this.#options = options;
    this.#wire = nameToWire(options.zone, "zone");
    this.#time = new SteadyClock(options.clock);
    const due = this.#time.now();
    this.#watched = options.servers.map((server) => ({
      server,
      name: addressAndPort(server),
      serial: null,
      fault: null,
      contradicts: false,
      has: 0,
      due,
      wait: IDLE,
      asking: false,
      told: false,
    }));
  }

  /** How long the last change that all servers have took from its decision until they had it, ms; null before the first. */
  get lastLag(): Milliseconds | null {
    return this.#lastLag;
  }

  /** A change was written to the registry: now the servers are to have it. Changes come in their order. */
  published({ at, serial, samples }: Published): void {
    const tells = serial !== null || samples.length > 0;
    if (this.#watched.length === 0 || this.#closed || !tells) return;
    // Of those that went one will do: servers limit the rate of "no such name" more strictly than that of answers.
    const there = samples.filter(({ ipv4, ipv6 }) => ipv4 !== undefined || ipv6 !== undefined);
    const gone = samples.filter((sample) => !there.includes(sample));
    const copies = [...there.slice(0, SAMPLES_THERE), ...gone.slice(0, 1)].map(({ name, ipv4, ipv6 }) => ({
      name: name.slice(),
      ipv4: ipv4?.slice(),
      ipv6: ipv6?.slice(),
    }));
    const now = this.#time.now();
    const decided = Math.min(now, at + now - this.#options.clock.now());
    this.#latest = { at: decided, serial, samples: copies, sequence: ++this.#sequence };
    this.#changes.push(this.#latest);
    // The oldest says for how long the last server is behind; the latest are those that the others are about to have.
    if (this.#changes.length > REMEMBERED) this.#changes.splice(1, 1);
    for (const watched of this.#watched) {
      if (watched.fault !== null) continue;
      watched.wait = SOONEST;
      watched.due = Math.min(watched.due, now + SOONEST);
    }
  }

  /** What each server says, and how far it is behind. */
  views(): readonly PublicationServer[] {
    const now = this.#time.now();
    return this.#watched.map((watched) => ({
      server: watched.name,
      serial: watched.serial,
      lag: this.#lagOf(watched, now),
      problem: this.#problemOf(watched, now),
    }));
  }

  nextDeadline(): Instant | undefined {
    if (this.#closed) return undefined;
    const dues = this.#watched.filter(({ asking }) => !asking).map(({ due }) => due);
    if (dues.length === 0) return undefined;
    // By the time of day, as the caller measures.
    return this.#options.clock.now() + Math.min(...dues) - this.#time.now();
  }

  tick(): void {
    if (this.#closed) return;
    const now = this.#time.now();
    for (const watched of this.#watched) if (!watched.asking && watched.due <= now) void this.#ask(watched);
  }

  /** Asks nobody any more. What is asked already comes to nothing. */
  close(): void {
    this.#closed = true;
  }

  async #ask(watched: Watched): Promise<void> {
    const { ask, random, zone } = this.#options;
    watched.asking = true;
    const missing = this.#changes.filter(({ sequence }) => sequence > watched.has);
    const marks = missing.length > 0 || this.#latest === undefined ? missing : [this.#latest];
    const seen = await observe({ ask, random, server: watched.server, zone, wire: this.#wire, marks });
    if (this.#closed) return;
    watched.asking = false;
    const now = this.#time.now();
    if (missing.length === 0 && seen.fault === null && seen.has < 0) this.#lost(watched, marks[0], now);
    this.#note(watched, seen, marks[seen.has]?.sequence, now);
    this.#settle(now);
    this.#tell(watched, now);
  }

  /** A server does not have any more what it had: it was set back, or somebody else writes to it. */
  #lost(watched: Watched, change: Change | undefined, now: Instant): void {
    // Of another change that came meanwhile it is told soon enough.
    if (change === undefined || change !== this.#latest) return;
    watched.has = change.sequence - 1;
    if (this.#changes.length === 0) this.#changes.push({ ...change, at: now });
  }

  /** Takes what a server said, and when to ask it again. */
  #note(watched: Watched, seen: Observation, has: number | undefined, now: Instant): void {
    const recovered = watched.fault !== null && seen.fault === null;
    const failed = watched.fault === null && seen.fault !== null;
    watched.serial = seen.serial;
    watched.fault = seen.fault;
    watched.contradicts = seen.contradicts;
    watched.has = has ?? watched.has;
    if (seen.fault !== null) {
      watched.wait = failed ? AFTER_FAULT : Math.min(LONGEST_AFTER_FAULT, watched.wait * 2);
    } else if (watched.has === this.#sequence) {
      watched.wait = IDLE;
    } else {
      watched.wait = recovered || has !== undefined ? SOONEST : Math.min(SELDOM, watched.wait * 2);
    }
    watched.due = now + watched.wait;
  }

  /** Forgets changes that all servers have, and notes how long the last of these took. */
  #settle(now: Instant): void {
    const everywhere = Math.min(...this.#watched.map(({ has }) => has));
    const done = this.#changes.findLast(({ sequence }) => sequence <= everywhere);
    if (done === undefined) return;
    if (done.sequence > this.#settled) this.#lastLag = Math.max(0, now - done.at);
    this.#settled = done.sequence;
    this.#changes = this.#changes.filter(({ sequence }) => sequence > everywhere);
  }

  #lagOf({ has }: Watched, now: Instant): Milliseconds {
    const missing = this.#changes.find(({ sequence }) => sequence > has);
    return missing === undefined ? 0 : Math.max(0, now - missing.at);
  }

  #problemOf(watched: Watched, now: Instant): string | null {
    if (watched.fault !== null) return watched.fault;
    const lag = this.#lagOf(watched, now);
    if (lag < PATIENCE) return null;
    const since = `it has been behind for ${Math.round(lag / 1000)} s`;
    if (watched.contradicts) {
      return `${since}: its serial ${watched.serial} says it has what was published, but a name that changed shows another state`;
    }
    const wanted = this.#latest?.serial ?? null;
    return `${since}: its serial is ${watched.serial ?? "not known"}${wanted === null ? "" : `, published is ${wanted}`}`;
  }

  #tell(watched: Watched, now: Instant): void {
    const problem = this.#problemOf(watched, now);
    if ((problem !== null) === watched.told) return;
    watched.told = problem !== null;
    const { log } = this.#options;
    const fields = { server: watched.name, serial: watched.serial };
    if (problem === null) log.info(fields, "a server of the zone is up to date again");
    else log.warn({ ...fields, problem }, "a server of the zone does not have what is published");
  }
}
