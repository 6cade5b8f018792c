import { setTimeout as pause } from "node:timers/promises";

/** Asks until it is so, and returns what was said; fails after `seconds` with `what` and what was said last. */
export async function until<T>(ask: () => T | Promise<T>, what: string, seconds: number = 60): Promise<NonNullable<T>> {
  const deadline = Date.now() + seconds * 1000;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined && answer !== null && answer !== false) return answer;
    if (Date.now() > deadline) throw new Error(`waited ${seconds} s in vain for: ${what}`);
    await pause(25);
  }
}
