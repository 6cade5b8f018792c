/** Names and instances as 64-bit hashes, in two columns of 32 bits. */
export interface Hashes {
  readonly high: Uint32Array;
  readonly low: Uint32Array;
}

/** An allocation that is worked out anew from the names and the instances alone. Returns the place of each name's instance. */
export type Stateless = (names: Hashes, instances: Hashes) => Uint16Array;

/** Hashes texts: two runs of FNV-1a with different bases, each finished by {@link mix}. */
export function hashesOf(texts: readonly string[]): Hashes {
  const high = new Uint32Array(texts.length);
  const low = new Uint32Array(texts.length);
  for (const [index, text] of texts.entries()) {
    high[index] = hash(text, 0x811c_9dc5);
    low[index] = hash(text, 0x9747_b28c);
  }
  return { high, low };
}

function hash(text: string, basis: number): number {
  let value = basis;
  for (let index = 0; index < text.length; index++) value = Math.imul(value ^ text.charCodeAt(index), 0x0100_0193);
  return mix(value);
}

/** MurmurHash3's finalizer for 32 bits: each bit of the input changes half of the output's. */
export function mix(value: number): number {
  let mixed = value;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85eb_ca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2_ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}
