import type { Generation } from "../dns/index.ts";

/** The names of one generation, and which of them several devices hold (N10). */
export class HeldNames {
  readonly generation: Generation;
  readonly #usable: (instance: number) => boolean;
  /** Names that several devices hold, or held, with how many do. */
  readonly #holders: Map<string, number> = new Map();
  #collisions = 0;

  /** @param usable whether names may point at the instance */
  constructor(generation: Generation, usable: (instance: number) => boolean) {
    this.generation = generation;
    this.#usable = usable;
  }

  /** How many names have several holders. */
  get collisions(): number {
    return this.#collisions;
  }

  /** Whether several devices hold the name. */
  isShared(host: string): boolean {
    return (this.#holders.get(host) ?? 1) > 1;
  }

  /**
   * Points a device's name at its home, unless it leads to the instance of another that shares it.
   * @param again whether the device holds the name already
   * @returns where the name points now
   */
  hold(host: string, home: number, again: boolean): number {
    const before = this.generation.add(host, home);
    if (before === undefined) return home;
    const holders = this.#holders.get(host);
    if (again && holders === undefined) return home;
    if (!again) {
      this.#holders.set(host, (holders ?? 1) + 1);
      if ((holders ?? 1) === 1) this.#collisions++;
    }
    if (before === home || !this.#usable(before)) return home;
    this.generation.add(host, before);
    return before;
  }

  /** A device gives its name up; it is gone when that was the last. */
  release(host: string): void {
    const holders = this.#holders.get(host) ?? 1;
    if (holders === 2) this.#collisions--;
    if (holders > 1) {
      this.#holders.set(host, holders - 1);
      return;
    }
    this.#holders.delete(host);
    this.generation.delete(host);
  }
}
