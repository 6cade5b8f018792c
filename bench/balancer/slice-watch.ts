/**
 * Measures how long work that is cut into slices keeps others waiting. Wall time counts other programs too, CPU time
 * the compiler's and collector's threads: a slice took no longer than the lesser of the two. Slices in which another
 * program got the processor say nothing, and are left out.
 */
export class SliceWatch {
  longestMs = 0;
  slices = 0;
  #begin: { wall: number; cpu: NodeJS.CpuUsage; switches: number } | undefined;

  /** Begins anew, at the start of the first slice. */
  start(): void {
    this.longestMs = 0;
    this.slices = 0;
    this.#mark();
  }

  /** The work stopped. */
  stop(): void {
    this.#measure();
    this.#begin = undefined;
  }

  /** A slice ends, others run, and the next begins. */
  async between(breathe: () => Promise<void>): Promise<void> {
    this.#measure();
    await breathe();
    if (this.#begin !== undefined) this.#mark();
  }

  #mark(): void {
    this.#begin = {
      wall: performance.now(),
      cpu: process.cpuUsage(),
      switches: process.resourceUsage().involuntaryContextSwitches,
    };
  }

  #measure(): void {
    if (this.#begin === undefined) return;
    const { wall, cpu, switches } = this.#begin;
    if (process.resourceUsage().involuntaryContextSwitches !== switches) return;
    const { user, system } = process.cpuUsage(cpu);
    this.slices++;
    this.longestMs = Math.max(this.longestMs, Math.min(performance.now() - wall, (user + system) / 1000));
  }
}

/** CPU time that some work took, in ms, all threads. */
export async function cpuOf(work: () => Promise<unknown>): Promise<number> {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

/** Rounded to two digits behind the point. */
export function figure(value: number): number {
  return Math.round(value * 100) / 100;
}
