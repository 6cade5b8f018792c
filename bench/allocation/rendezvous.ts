import { type Hashes, mix } from "./hashing.ts";

/** Rendezvous hashing (Thaler and Ravishankar, 1998): a name goes where the hash of name and instance is highest. */
export function rendezvous(names: Hashes, instances: Hashes): Uint16Array {
  const homes = new Uint16Array(names.low.length);
  for (let name = 0; name < homes.length; name++) {
    const high = names.high[name] ?? 0;
    const low = names.low[name] ?? 0;
    let [best, highest] = [0, -1];
    for (let place = 0; place < instances.low.length; place++) {
      const score = mix(mix(low ^ (instances.low[place] ?? 0)) ^ high ^ (instances.high[place] ?? 0));
      if (score <= highest) continue;
      best = place;
      highest = score;
    }
    homes[name] = best;
  }
  return homes;
}
