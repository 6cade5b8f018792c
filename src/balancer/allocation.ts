import { type Device, NOWHERE } from "./device.ts";

/** A device and the instance it is to go to. */
export interface Move {
  readonly device: Device;
  readonly to: number;
}

/**
 * Even allocation (B3) that moves as few devices as can be (B11): every instance ends with the mean, rounded down or
 * up; the fullest keep the rounded-up shares; devices in progress stay where they are while their instance lives.
 * @param devices all devices that are not completed; read once
 * @param instances indices of the instances that may serve; if none, nobody moves (names stay as they are)
 * @returns only the devices that change their instance
 */
export function allocateEvenly(devices: Iterable<Device>, instances: readonly number[]): Move[] {
  if (instances.length === 0) return [];
  const here = new Map<number, Device[]>(instances.map((index) => [index, []]));
  const stuck = new Map<number, number>(instances.map((index) => [index, 0]));
  const homeless: Device[] = [];
  let total = 0;
  for (const device of devices) {
    const { state, home } = device.progress;
    const hosted = here.get(home);
    total++;
    if (hosted === undefined) homeless.push(device);
    else if (state === "commenced") stuck.set(home, (stuck.get(home) ?? 0) + 1);
    else hosted.push(device);
  }
  const load = (index: number): number => (here.get(index)?.length ?? 0) + (stuck.get(index) ?? 0);
  const targets = shares(
    total,
    [...instances].sort((a, b) => load(b) - load(a) || a - b),
  );
  for (const [index, hosted] of here) {
    const room = Math.max(0, (targets.get(index) ?? 0) - (stuck.get(index) ?? 0));
    homeless.push(...hosted.splice(room));
  }
  const moves: Move[] = [];
  let next = 0;
  for (const index of instances) {
    for (let room = (targets.get(index) ?? 0) - load(index); room > 0 && next < homeless.length; room--) {
      const device = homeless[next++];
      if (device !== undefined) moves.push({ device, to: index });
    }
  }
  return moves.filter(({ device, to }) => device.progress.home !== to);
}

function shares(total: number, order: readonly number[]): Map<number, number> {
  const base = Math.floor(total / order.length);
  const extra = total % order.length;
  return new Map(order.map((index, position) => [index, base + (position < extra ? 1 : 0)]));
}

/** The instance with the fewest devices: where one more device goes. {@link NOWHERE} if there is none. */
export function leastLoaded(instances: readonly number[], load: (index: number) => number): number {
  let best = NOWHERE;
  for (const index of instances) if (best === NOWHERE || load(index) < load(best)) best = index;
  return best;
}
