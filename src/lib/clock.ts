/** A span of time in milliseconds. */
export type Milliseconds = number;
/** A span of time in whole seconds. */
export type Seconds = number;
/** An instant: milliseconds since 1970-01-01T00:00:00Z. */
export type Instant = number;

/** Where "now" comes from. The real one is made in `net/`; tests pass a {@link VirtualClock}. */
export interface Clock {
  now(): Instant;
}

/** A clock that stands still until it is moved. */
export class VirtualClock implements Clock {
  #now: Instant;

  constructor(start: Instant = 0) {
    this.#now = start;
  }

  now(): Instant {
    return this.#now;
  }

  /** Moves the clock by `span`, which may be negative: clocks in the field go back too. */
  advance(span: Milliseconds): void {
    this.#now += span;
  }

  set(instant: Instant): void {
    this.#now = instant;
  }
}
