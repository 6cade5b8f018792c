import { type Hashes, mix } from "./hashing.ts";

const POINTS = 100;

/** Consistent hashing (Karger and others, 1997): each instance has points on a ring, and a name goes to the next one. */
export function ring(names: Hashes, instances: Hashes): Uint16Array {
  const points = [...instances.low].flatMap((hash, instance) =>
    Array.from({ length: POINTS }, (_, number) => ({ at: mix(hash ^ mix(number + 1)), instance })),
  );
  points.sort((a, b) => a.at - b.at);
  const places = Uint32Array.from(points, ({ at }) => at);
  const owners = Uint16Array.from(points, ({ instance }) => instance);
  return Uint16Array.from(names.low, (hash) => owners[firstFrom(places, hash) % owners.length] ?? 0);
}

/** The place of the first point that is not before `hash`. */
function firstFrom(points: Uint32Array, hash: number): number {
  let [low, high] = [0, points.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((points[middle] ?? 0) < hash) low = middle + 1;
    else high = middle;
  }
  return low;
}
