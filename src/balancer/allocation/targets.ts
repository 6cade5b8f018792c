import type { InstanceFacts, Measure } from "./facts.ts";
import { round, shareOut } from "./water-level.ts";

/** Names that the same instances may serve. */
export interface Cohort {
  /** How many there are. */
  size: number;
  /** How many each instance has now, by index; those that have none of these instances are the rest. */
  readonly at: Map<number, number>;
  /** {@link eligible}'s steps: by preference. */
  readonly steps: readonly (readonly InstanceFacts[])[];
}

/** How many names of a cohort each instance is to have, by index. */
export type Targets = ReadonlyMap<number, number>;

/** What is not settled after so many rounds differs by a few names. */
const ROUNDS = 50;

/**
 * How many names of each cohort each instance is to have, so that instances are level over all cohorts as far as who may
 * serve whom allows (B3). Each cohort in turn is shared out on top of what the others put where, until nothing changes.
 * @param measures of all serving instances
 * @param rooms how many names each may be given in all, by index
 */
export function targetsOf(
  cohorts: readonly Cohort[],
  measures: readonly Measure[],
  rooms: ReadonlyMap<number, number>,
): Targets[] {
  const measureOf = new Map(measures.map((measure) => [measure.index, measure]));
  const names = new Map<number, number>();
  const put = (index: number, by: number): void => void names.set(index, (names.get(index) ?? 0) + by);
  const shares = cohorts.map((): { candidates: readonly number[]; amounts: readonly number[] } => ({
    candidates: [],
    amounts: [],
  }));
  const room = (index: number): number => (rooms.get(index) ?? 0) - (names.get(index) ?? 0);
  for (let turn = 0; turn < (cohorts.length > 1 ? ROUNDS : 1); turn++) {
    let change = 0;
    for (const [number, share] of shares.entries()) {
      const before = share.amounts;
      for (const [place, index] of share.candidates.entries()) put(index, -(before[place] ?? 0));
      if (turn === 0) share.candidates = candidatesOf(cohorts[number], room);
      const vessels = share.candidates.map((index) => ({
        weight: measureOf.get(index)?.weight ?? 0,
        filled: (measureOf.get(index)?.base ?? 0) + (names.get(index) ?? 0),
        room: room(index),
      }));
      share.amounts = shareOut(cohorts[number]?.size ?? 0, vessels);
      for (const [place, index] of share.candidates.entries()) {
        put(index, share.amounts[place] ?? 0);
        change = Math.max(change, Math.abs((share.amounts[place] ?? 0) - (before[place] ?? 0)));
      }
    }
    if (change < 0.5) break;
  }
  return cohorts.map(({ size, at }, number) => {
    const { candidates = [], amounts = [] } = shares[number] ?? {};
    const current = candidates.map((index) => at.get(index) ?? 0);
    const whole = round(size, amounts, current);
    return new Map(candidates.map((index, place) => [index, whole[place] ?? 0]));
  });
}

/** As many of the steps as it takes to find room for the whole cohort. */
function candidatesOf(cohort: Cohort | undefined, room: (index: number) => number): number[] {
  const candidates: number[] = [];
  let left = cohort?.size ?? 0;
  for (const step of cohort?.steps ?? []) {
    if (candidates.length > 0 && left <= 0) break;
    for (const { index } of step) {
      candidates.push(index);
      left -= Math.max(0, room(index));
    }
  }
  return candidates;
}
