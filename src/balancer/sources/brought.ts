import type { Storage } from "../../storage/index.ts";

/** Parts that are stored by themselves, so that a device more is not the whole list anew: there may be 300,000. */
const PARTS = 64;

/** The endpoints of the devices that a source brought, over restarts: it may change and remove these, and no others. */
export class Brought {
  readonly #settings: Storage["settings"];
  readonly #source: string;
  readonly #parts: readonly Set<string>[] = Array.from({ length: PARTS }, () => new Set<string>());
  /** Parts that are not as they are stored. */
  readonly #changed: Set<number> = new Set();

  private constructor(settings: Storage["settings"], source: string) {
    this.#settings = settings;
    this.#source = source;
  }

  static async load({ settings }: Storage, source: string): Promise<Brought> {
    const brought = new Brought(settings, source);
    for (const [number, part] of brought.#parts.entries()) {
      const stored = await settings.get(brought.#key(number));
      if (Array.isArray(stored)) for (const endpoint of stored) part.add(String(endpoint));
    }
    return brought;
  }

  get size(): number {
    return this.#parts.reduce((sum, part) => sum + part.size, 0);
  }

  *[Symbol.iterator](): Generator<string> {
    for (const part of this.#parts) yield* part;
  }

  has(endpoint: string): boolean {
    return this.#parts[partOf(endpoint)]?.has(endpoint) === true;
  }

  add(endpoint: string): void {
    const number = partOf(endpoint);
    if (this.#parts[number]?.has(endpoint)) return;
    this.#parts[number]?.add(endpoint);
    this.#changed.add(number);
  }

  delete(endpoint: string): void {
    const number = partOf(endpoint);
    if (this.#parts[number]?.delete(endpoint)) this.#changed.add(number);
  }

  /** Stores what has changed. @throws StorageError; then it can be called again */
  async save(): Promise<void> {
    for (const number of [...this.#changed]) {
      await this.#settings.put(this.#key(number), [...(this.#parts[number] ?? [])]);
      this.#changed.delete(number);
    }
  }

  #key(number: number): string {
    return `source ${this.#source} ${number}`;
  }
}

function partOf(endpoint: string): number {
  let sum = 0;
  for (let at = 0; at < endpoint.length; at++) sum = (Math.imul(sum, 31) + endpoint.charCodeAt(at)) >>> 0;
  return sum % PARTS;
}
