/** How good an allocation is; moves as shares of all names. */
export interface Figures {
  /** Of the fullest instance for its weight: after the allocation, the leave and the join; the largest of the three. */
  readonly maxOverMean: number;
  readonly movedOnLeave: number;
  readonly movedOnJoin: number;
  /** CPU time that the leave took, ms. */
  readonly ms: number;
}

/** The load of the fullest for its weight, over the mean; weights are 1 if absent. */
export function overMean(loads: readonly number[], weights: readonly number[] = loads.map(() => 1)): number {
  const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
  return (Math.max(...loads.map((load, place) => load / (weights[place] ?? 1))) * sum(weights)) / sum(loads);
}

/** How many names have another home. */
export function moved(before: ArrayLike<number>, after: ArrayLike<number>): number {
  let count = 0;
  for (let name = 0; name < before.length; name++) if (before[name] !== after[name]) count++;
  return count;
}
