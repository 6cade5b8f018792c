import type { Hashes } from "./hashing.ts";

/** A prime, and of the paper's two sizes the small one: more than a hundred places for each of 64 instances. */
const PLACES = 65_537;
const FREE = 0xffff;

/** Maglev (Eisenbud and others, NSDI 2016, section 3.4): a table that instances fill in turn, each in an order of its own. */
export function maglev(names: Hashes, instances: Hashes): Uint16Array {
  const table = tableOf(instances);
  return Uint16Array.from(names.low, (hash) => table[hash % PLACES] ?? 0);
}

function tableOf({ high, low }: Hashes): Uint16Array {
  const table = new Uint16Array(PLACES).fill(FREE);
  const next = Uint32Array.from(high, (hash) => hash % PLACES);
  const skips = Uint32Array.from(low, (hash) => (hash % (PLACES - 1)) + 1);
  for (let filled = 0; filled < PLACES; ) {
    for (let instance = 0; instance < next.length && filled < PLACES; instance++) {
      const skip = skips[instance] ?? 1;
      let place = next[instance] ?? 0;
      while (table[place] !== FREE) place = (place + skip) % PLACES;
      table[place] = instance;
      next[instance] = (place + skip) % PLACES;
      filled++;
    }
  }
  return table;
}
