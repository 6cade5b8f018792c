import type { InstanceFacts } from "./facts.ts";
import type { Siting } from "./siting.ts";

const EARTH_KM = 6371;
const RADIANS = Math.PI / 180;

/**
 * Which instances may serve devices of a siting, best first: each step is taken in only when those before it have no
 * room for all devices.
 * @param serving instances that may be given devices
 * @param nearest how many of the nearest instances share a device's names, where coordinates decide
 * @returns no steps if nobody may serve them
 */
export function eligible(
  siting: Siting,
  serving: readonly InstanceFacts[],
  nearest: number,
): readonly (readonly InstanceFacts[])[] {
  const pinned = serving.filter(({ id }) => id === siting.pin);
  if (pinned.length > 0) return [pinned];
  const { pools, instances } = siting;
  const named = serving.filter(
    ({ id, pools: theirs }) =>
      (pools === undefined || pools.some((pool) => theirs.includes(pool))) && (instances === undefined || instances.includes(id)),
  );
  if (named.length === 0 && siting.strict) return [];
  const all = named.length > 0 ? named : serving;
  if (all.length === 0) return [];
  return byPlace(siting, all, nearest);
}

/** Those of the device's own region first; then by distance, where that is known; then the rest. */
function byPlace(
  { region, location }: Siting,
  instances: readonly InstanceFacts[],
  nearest: number,
): readonly (readonly InstanceFacts[])[] {
  const home = region === undefined ? [] : instances.filter((instance) => instance.region === region);
  const others = instances.filter((instance) => !home.includes(instance));
  if (location === undefined) return [home, others].filter(({ length }) => length > 0);
  const far = others
    .flatMap((instance) => (instance.location === undefined ? [] : [{ instance, km: distance(location, instance.location) }]))
    .sort((a, b) => a.km - b.km || a.instance.index - b.instance.index)
    .map(({ instance }) => instance);
  const first = home.length > 0 ? [] : [far.slice(0, nearest)];
  const next = far.slice(home.length > 0 ? 0 : nearest).map((instance) => [instance]);
  const nowhere = others.filter((instance) => !far.includes(instance));
  return [home, ...first, ...next, nowhere].filter(({ length }) => length > 0);
}

/** Along the surface, km (haversine). */
export function distance(from: readonly [number, number], to: readonly [number, number]): number {
  const [north, east] = [(to[0] - from[0]) * RADIANS, (to[1] - from[1]) * RADIANS];
  const chord = Math.sin(north / 2) ** 2 + Math.cos(from[0] * RADIANS) * Math.cos(to[0] * RADIANS) * Math.sin(east / 2) ** 2;
  return 2 * EARTH_KM * Math.asin(Math.min(1, Math.sqrt(chord)));
}
