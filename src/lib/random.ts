/** Where randomness comes from. The real one is made in `net/`; tests and simulations pass {@link seededRandom}. */
export interface Random {
  /** `length` fresh random bytes. */
  bytes(length: number): Uint8Array;
  /** A number in [0, 1). */
  uniform(): number;
}

/** A reproducible generator (mulberry32) for tests and simulations; never for keys. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  const uniform = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 0x1_0000_0000;
  };
  return {
    uniform,
    bytes: (length) => Uint8Array.from({ length }, () => Math.floor(uniform() * 256)),
  };
}
