import type { Random } from "../lib/random.ts";

const POOL_SIZE = 1024;

/** Draws random bytes in bulk: one call to the system's generator per token would cost more than the rest of a request. */
export class RandomPool {
  readonly #random: Random;
  #pool: Buffer;
  #used = 0;

  constructor(random: Random) {
    this.#random = random;
    this.#pool = Buffer.alloc(0);
  }

  /** `length` fresh bytes, at most 1024, never handed out twice. */
  bytes(length: number): Buffer {
    if (this.#used + length > this.#pool.length) {
      this.#pool = Buffer.from(this.#random.bytes(POOL_SIZE));
      this.#used = 0;
    }
    this.#used += length;
    return this.#pool.subarray(this.#used - length, this.#used);
  }

  /** A number from 0 to 65535. */
  uint16(): number {
    return this.bytes(2).readUInt16BE(0);
  }

  /** A number in [0, 1). */
  uniform(): number {
    return this.#random.uniform();
  }
}
