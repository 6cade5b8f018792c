import type { Clock, Instant, Milliseconds } from "../lib/clock.ts";

/** A protocol machine that wants to be told when time has passed. */
export interface Machine {
  /** The next instant at which {@link tick} has something to do; undefined if none. */
  nextDeadline(): Instant | undefined;
  tick(now: Instant): void;
}

/**
 * Runs the timers of protocol machines on the real clock: one coarse timer for all of them, as protocol timers
 * are of seconds and a timer each would cost more than the work it starts.
 */
export class Ticker {
  readonly #machines: Set<Machine> = new Set();
  readonly #clock: Clock;
  readonly #step: Milliseconds;
  #timer: NodeJS.Timeout | undefined;

  /** @param step how coarse, ms */
  constructor(clock: Clock, step: Milliseconds = 20) {
    this.#clock = clock;
    this.#step = step;
  }

  add(machine: Machine): void {
    this.#machines.add(machine);
    this.#timer ??= setInterval(() => this.#run(), this.#step);
  }

  remove(machine: Machine): void {
    this.#machines.delete(machine);
    if (this.#machines.size === 0) this.stop();
  }

  /** Stops the timer and forgets all machines. */
  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#machines.clear();
  }

  #run(): void {
    const now = this.#clock.now();
    for (const machine of this.#machines) {
      const due = machine.nextDeadline();
      if (due !== undefined && due <= now) machine.tick(now);
    }
  }
}
