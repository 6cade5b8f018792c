/** Indices of instances, each with the number of its devices. */
export type Loads = ReadonlyMap<number, number>;

/**
 * How many devices each instance is to have for an even allocation (B3): the mean, rounded down or up. The fullest get
 * the rounded-up shares, so that as few as can be have to move (B11).
 * @param homeless devices that have no instance among these
 */
export function evenShares(loads: Loads, homeless: number): Map<number, number> {
  const fullestFirst = [...loads].sort(([a, loadOfA], [b, loadOfB]) => loadOfB - loadOfA || a - b);
  const total = fullestFirst.reduce((sum, [, load]) => sum + load, homeless);
  const base = Math.floor(total / fullestFirst.length);
  const extra = total % fullestFirst.length;
  return new Map(fullestFirst.map(([index], position) => [index, base + (position < extra ? 1 : 0)]));
}
