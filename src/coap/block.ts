/** The value of a Block1 or Block2 option (RFC 7959 section 2.2). */
export interface Block {
  /** The block's number, counted in blocks of this block's own size. */
  readonly num: number;
  /** Whether more blocks follow. */
  readonly more: boolean;
  /** The size of a block in bytes: 16 to 1024, a power of two. */
  readonly size: number;
}

const MIN_BLOCK_SIZE = 16;
export const MAX_BLOCK_SIZE = 1024;
const RESERVED_SZX = 7;

/** Whether `size` can be written as SZX. */
export function isBlockSize(size: number): boolean {
  return size >= MIN_BLOCK_SIZE && size <= MAX_BLOCK_SIZE && Number.isInteger(Math.log2(size));
}

/** Reads the option's value, an unsigned integer: NUM, M (1 bit), SZX (3 bits). undefined when SZX is the reserved 7. */
export function blockOf(value: number): Block | undefined {
  const szx = value & 7;
  return szx === RESERVED_SZX ? undefined : { num: value >>> 4, more: (value & 8) !== 0, size: MIN_BLOCK_SIZE << szx };
}

/** The option's value of a block. */
export function blockValue(block: Block): number {
  return block.num * 16 + (block.more ? 8 : 0) + Math.log2(block.size / MIN_BLOCK_SIZE);
}

/** Where a block begins in its body, in bytes. */
export function offsetOf(block: Block): number {
  return block.num * block.size;
}

/** The block of `body` that begins at `offset`, a multiple of `size`, and its bytes. */
export function cut(body: Uint8Array, offset: number, size: number): { block: Block; bytes: Uint8Array } {
  const end = offset + size;
  return { block: { num: offset / size, more: end < body.length, size }, bytes: body.subarray(offset, end) };
}

/** A body that grows block by block, up to a limit. */
export class BodyBuffer {
  readonly #limit: number;
  #bytes: Buffer;
  #length = 0;

  constructor(limit: number) {
    this.#limit = limit;
    this.#bytes = Buffer.alloc(0);
  }

  get length(): number {
    return this.#length;
  }

  /** Adds a copy of `block`; returns false, adding nothing, when the limit would be exceeded. */
  append(block: Uint8Array): boolean {
    const length = this.#length + block.length;
    if (length > this.#limit) return false;
    if (length > this.#bytes.length) {
      // doubled, so that many small blocks are not copied over and over
      const grown = Buffer.alloc(Math.min(this.#limit, Math.max(length, 2 * this.#bytes.length)));
      this.#bytes.copy(grown, 0, 0, this.#length);
      this.#bytes = grown;
    }
    this.#bytes.set(block, this.#length);
    this.#length = length;
    return true;
  }

  /** All that was added. */
  bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }
}
