import { InvalidInput } from "../lib/errors.ts";

const MAX_KEY = 0xffff;

/**
 * Name keys of many devices in one flat array, by device number: a million `berth-1` keys take 34 MB, and are one object
 * to the garbage collector instead of a million. Keys may differ in length, as recipes without `nameKey` keep the secrets
 * themselves; the longest decides the room each one has.
 */
export class KeySlab {
  #stride: number;
  #bytes: Uint8Array;
  #lengths: Uint16Array;

  /** Room for `devices` keys of up to `keyLength` bytes. It grows beyond either, at the cost of one copy. */
  constructor(devices: number, keyLength: number = 32) {
    this.#stride = keyLength;
    this.#bytes = new Uint8Array(devices * keyLength);
    this.#lengths = new Uint16Array(devices);
  }

  /** Memory taken, in bytes. */
  get byteLength(): number {
    return this.#bytes.byteLength + this.#lengths.byteLength;
  }

  /**
   * Keeps a copy of the key of device number `index`, in place of the one it had.
   * @throws InvalidInput for a key of no bytes or of more than 65535
   */
  set(index: number, key: Uint8Array): void {
    const { byteLength } = key;
    if (byteLength === 0 || byteLength > MAX_KEY)
      throw new InvalidInput(`name key: ${byteLength} bytes; 1 to ${MAX_KEY} can be kept`);
    if (index >= this.#lengths.length || byteLength > this.#stride) this.#grow(index + 1, byteLength);
    this.delete(index);
    this.#bytes.set(key, index * this.#stride);
    this.#lengths[index] = byteLength;
  }

  /** A view of the key of device number `index`, good until the next `set` or `delete`; undefined when none is kept. */
  get(index: number): Uint8Array | undefined {
    const length = this.#lengths[index] ?? 0;
    return length === 0 ? undefined : this.#bytes.subarray(index * this.#stride, index * this.#stride + length);
  }

  /** Overwrites the key of device number `index` with zeros. */
  delete(index: number): void {
    if (index >= this.#lengths.length) return;
    this.#bytes.fill(0, index * this.#stride, (index + 1) * this.#stride);
    this.#lengths[index] = 0;
  }

  #grow(devices: number, keyLength: number): void {
    const count =
      devices > this.#lengths.length ? Math.max(devices, Math.ceil(this.#lengths.length * 1.5), 64) : this.#lengths.length;
    const grown = new KeySlab(count, Math.max(keyLength, this.#stride));
    for (let i = 0; i < this.#lengths.length; i += 1) {
      const key = this.get(i);
      if (key !== undefined) grown.set(i, key);
    }
    this.#bytes.fill(0);
    this.#stride = grown.#stride;
    this.#bytes = grown.#bytes;
    this.#lengths = grown.#lengths;
  }
}
