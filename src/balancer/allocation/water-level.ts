/** One of those that share something out: it is filled to `level * weight`, within its bounds. */
export interface Vessel {
  readonly weight: number;
  /** What is in it already. */
  readonly filled: number;
  /** The most that may be added. */
  readonly room: number;
}

/** Halvings that bring the level to the last bit of a double. */
const HALVINGS = 60;

/**
 * Shares `amount` out so that (filled + added) / weight is the same for all that get something, and none has more than
 * its room. What does not find room is shared out as if there were no bounds.
 * @returns how much is added to each, in fractions; vessels of weight 0 get nothing, unless there are no others
 */
export function shareOut(amount: number, vessels: readonly Vessel[]): number[] {
  const usable = vessels.some(({ weight }) => weight > 0) ? vessels : vessels.map((vessel) => ({ ...vessel, weight: 1 }));
  const room = usable.reduce((sum, vessel) => sum + (vessel.weight > 0 ? Math.max(0, vessel.room) : 0), 0);
  const bounded = room >= amount ? usable : usable.map((vessel) => ({ ...vessel, room: Number.POSITIVE_INFINITY }));
  const at = (level: number): number[] =>
    bounded.map(({ weight, filled, room }) => (weight > 0 ? Math.max(0, Math.min(room, level * weight - filled)) : 0));
  const sum = (added: readonly number[]): number => added.reduce((total, each) => total + each, 0);
  let low = 0;
  let high = 1;
  while (sum(at(high)) < amount) high *= 2;
  for (let halving = 0; halving < HALVINGS; halving++) {
    const middle = (low + high) / 2;
    if (sum(at(middle)) < amount) low = middle;
    else high = middle;
  }
  return at(high);
}

/**
 * Whole numbers of the sum `amount` next to `shares`. Where one must be rounded up rather than another it is who has more
 * than the rounded-down number already, so that as little as can be has to move (B11).
 */
export function round(amount: number, shares: readonly number[], current: readonly number[]): number[] {
  const whole = shares.map((share) => Math.floor(share + 1e-6));
  let left = amount - whole.reduce((sum, each) => sum + each, 0);
  const has = (place: number): number => Number((current[place] ?? 0) > (whole[place] ?? 0));
  const rest = (place: number): number => (shares[place] ?? 0) - (whole[place] ?? 0);
  const order = shares
    .map((share, place) => ({ share, place }))
    .filter(({ share }) => share > 0)
    .map(({ place }) => place)
    .sort((a, b) => Number(rest(b) > 1e-6) - Number(rest(a) > 1e-6) || has(b) - has(a) || rest(b) - rest(a) || a - b);
  for (let turn = 0; left > 0 && order.length > 0; turn++) {
    const place = order[turn % order.length] ?? 0;
    whole[place] = (whole[place] ?? 0) + 1;
    left--;
  }
  return whole;
}
