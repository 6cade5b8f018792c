import type { Instant, Milliseconds } from "../lib/clock.ts";

/** What is measured of an instance, some ten times a second. Counters count from its start. */
export interface Measurement {
  /** How long the event loop has waited for something to do: `performance.eventLoopUtilization().idle`. */
  readonly idle: Milliseconds;
  /** CPU time the process has used. */
  readonly cpu: Milliseconds;
  /** DTLS handshakes completed, over all listeners. */
  readonly handshakes: number;
  /** Sessions that have ended, well or not. */
  readonly ended: number;
  /** Memory the process may still take, in bytes: `process.availableMemory()`. */
  readonly memory: number;
}

/** CPU time of a bootstrap before it is measured: with PSK, on a core of 2020 on which nothing is compiled yet. */
const START_COST: Milliseconds = 1;
/** The share of a core that is given to bootstraps, as they all run in one thread; the rest is for what else there is to do. */
const TARGET = 0.9;
/** A sample is taken when so many bootstraps were served. */
const SAMPLE = 200;
/**
 * What else there is to do, forged ClientHellos among it, can only make a sample dearer, so the cheapest comes nearest to
 * the truth; it is given up slowly, doubled in 14 samples. While it is too low, the instance falls behind and brakes.
 */
const GIVES_UP = 1.05;
/** No host is as fast as that: the clock of CPU time is coarse. */
const SMALLEST_COST: Milliseconds = 0.05;
/** Datagrams wait that long in the socket before it counts as a backlog: a quarter of what devices wait before they repeat. */
const BACKLOG: Milliseconds = 250;
/** OpenSSL's and Berth's for an association in mid-handshake. */
const BYTES_EACH = 80_000;
/** Of the memory there is, so much may go to associations. */
const MEMORY_SHARE = 0.5;

/** How much an instance can take on, as far as can be told from how it has fared. */
export class Capacity {
  #cost: Milliseconds = START_COST;
  /** Where the sample began that is being taken. */
  #from: (Measurement & { readonly begun: number }) | undefined;
  #last: Measurement | undefined;
  #idleAt: Instant = Number.NEGATIVE_INFINITY;

  /** New handshakes a second, with the sessions that follow them. */
  get rate(): number {
    return (TARGET * 1000) / this.#cost;
  }

  /** Handshakes and sessions at a time for which the memory suffices, beyond those there are; undefined before it was measured. */
  get room(): number | undefined {
    return this.#last === undefined ? undefined : Math.floor((this.#last.memory * MEMORY_SHARE) / BYTES_EACH);
  }

  /**
   * Whether the instance has had something to do without a pause, so that what is in the socket may be old: its senders
   * have repeated it, or soon do.
   */
  isBehind(now: Instant): boolean {
    return this.#last !== undefined && now - this.#idleAt > BACKLOG;
  }

  /** @param begun handshakes begun since the start */
  measure(measured: Measurement, begun: number, now: Instant): void {
    if (this.#last === undefined || measured.idle - this.#last.idle >= 1) this.#idleAt = now;
    this.#last = measured;
    this.#from ??= { ...measured, begun };
    const { cpu, handshakes, ended } = this.#from;
    // Where devices are slow, far more has begun than ended, or the other way: what has moved on least makes no sample too cheap.
    const served = Math.min(begun - this.#from.begun, measured.handshakes - handshakes, measured.ended - ended);
    if (served < SAMPLE) return;
    const cost = Math.max(SMALLEST_COST, (measured.cpu - cpu) / served);
    this.#from = { ...measured, begun };
    this.#cost = Math.min(cost, this.#cost * GIVES_UP);
  }
}
