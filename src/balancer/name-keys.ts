import { KeySlab } from "../naming/index.ts";

/** Devices to a slab: one that fills up is never copied, which for a whole fleet would take long. */
const SLAB = 16_384;

/** The name keys of all devices by row. They are secrets, and overwritten when forgotten. */
export class NameKeys {
  readonly #keyLength: number;
  readonly #slabs: KeySlab[] = [];

  constructor(keyLength: number) {
    this.#keyLength = keyLength;
  }

  get(row: number): Uint8Array | undefined {
    return this.#slabs[Math.floor(row / SLAB)]?.get(row % SLAB);
  }

  set(row: number, key: Uint8Array): void {
    const slab = Math.floor(row / SLAB);
    while (this.#slabs.length <= slab) this.#slabs.push(new KeySlab(this.#slabs.length === 0 ? 1024 : SLAB, this.#keyLength));
    this.#slabs[slab]?.set(row % SLAB, key);
  }

  delete(row: number): void {
    this.#slabs[Math.floor(row / SLAB)]?.delete(row % SLAB);
  }
}
