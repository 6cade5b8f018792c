import { randomBytes } from "node:crypto";
import type { Clock } from "../lib/clock.ts";
import type { Random } from "../lib/random.ts";

/** The real clock. */
export const systemClock: Clock = { now: () => Date.now() };

/**
 * Milliseconds since this process began: for spans of time. Setting the time of day does not move it, and it runs on while the
 * process stands still; not while the machine is suspended, and in a virtual machine that is paused perhaps not either.
 */
export const monotonicClock: Clock = { now: () => Math.floor(performance.now()) };

/** The operating system's randomness. */
export const systemRandom: Random = {
  bytes: (length) => new Uint8Array(randomBytes(length)),
  uniform: () => randomBytes(6).readUIntBE(0, 6) / 2 ** 48,
};

/** Lets everything that waits run once before the caller goes on: how long work is cut into slices. */
export function breathe(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Waits `span` ms by the real clock, or until `signal` says stop. */
export function pause(span: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, span);
    signal?.addEventListener("abort", done);
    if (signal?.aborted) done();
  });
}
