import { endpointOf, instanceId } from "../balancer/fleet.ts";
import { cpuOf, figure } from "../balancer/slice-watch.ts";
import { type Hashes, hashesOf, type Stateless } from "./hashing.ts";
import { type Figures, moved, overMean } from "./measures.ts";

/** Names by their hashes: a million of them are hashed once, for all that are measured. */
export function namesOf(count: number): Hashes {
  return hashesOf(Array.from({ length: count }, (_, number) => endpointOf(number)));
}

/** Measures an allocation that is worked out anew each time: with all instances, without the first, and with it again. */
export async function measureStateless(allocate: Stateless, names: Hashes, instances: number): Promise<Figures> {
  const ids = Array.from({ length: instances }, (_, number) => instanceId(number));
  const before = allocate(names, hashesOf(ids));
  let between: Uint16Array = before;
  const ms = await cpuOf(async () => {
    between = allocate(names, hashesOf(ids.slice(1))).map((home) => home + 1);
  });
  const after = allocate(names, hashesOf(ids));
  const evenness = [before, between, after].map((homes, round) => overMean(loadsOf(homes, instances).slice(round % 2)));
  return {
    maxOverMean: Math.max(...evenness),
    movedOnLeave: moved(before, between) / before.length,
    movedOnJoin: moved(between, after) / before.length,
    ms: figure(ms),
  };
}

function loadsOf(homes: Uint16Array, instances: number): number[] {
  const loads = new Array<number>(instances).fill(0);
  for (const home of homes) loads[home] = (loads[home] ?? 0) + 1;
  return loads;
}
