import type { Clock, Instant, Milliseconds } from "../lib/clock.ts";
import type { Instance, Instances } from "./instances.ts";

/** Who is asked five times a second, and was not for so long, stood still; as a part of `lostAfter`, and at least, ms. */
const STOOD_STILL = { part: 1 / 4, least: 1000 } as const;

/** What a vigil is kept over. */
export interface VigilOptions {
  readonly instances: Instances;
  /** Never goes back, but may leap. */
  readonly time: Clock;
  /** Instances are lost after so long without a sign of life (B12), ms. */
  readonly lostAfter: Milliseconds;
}

/**
 * Listens for signs of life. Only silence that this process was awake to hear counts: while it stood still, or when its clock
 * leapt, nobody could be heard, and instances are given the whole of `lostAfter` from then on. They may need it, as what they
 * sent meanwhile is on its way again.
 */
export class Vigil {
  readonly #parts: VigilOptions;
  #awakeSince: Instant;
  #asked: Instant;

  constructor(parts: VigilOptions) {
    this.#parts = parts;
    this.#awakeSince = parts.time.now();
    this.#asked = this.#awakeSince;
  }

  /** Instances that are alive for all that is known, but were silent for longer than `lostAfter`. To be asked at every tick. */
  silent(): Instance[] {
    const { instances, time, lostAfter } = this.#parts;
    const now = time.now();
    if (now - this.#asked > Math.max(STOOD_STILL.least, lostAfter * STOOD_STILL.part)) this.#awakeSince = now;
    this.#asked = now;
    if (now - this.#awakeSince <= lostAfter) return [];
    return instances.alive().filter(({ lastSeen }) => now - lastSeen > lostAfter);
  }
}
