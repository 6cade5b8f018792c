import type { Clock, Instant } from "./clock.ts";

/**
 * A clock that never goes back, for spans of time, made of one that may: a step back of the underlying clock is left
 * out, and time goes on from there.
 */
export class SteadyClock implements Clock {
  readonly #clock: Clock;
  #last: Instant;
  #setBack = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#last = clock.now();
  }

  now(): Instant {
    const given = this.#clock.now();
    if (given < this.#last) this.#setBack += this.#last - given;
    this.#last = given;
    return given + this.#setBack;
  }
}
