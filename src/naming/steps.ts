import type { Instant, Milliseconds, Seconds } from "../lib/clock.ts";
import { InternalError } from "../lib/errors.ts";
import { ParameterMissing } from "./errors.ts";
import type { Recipe } from "./recipe.ts";

/**
 * What varies from one name of a device to its next: the rounded instant (Unix seconds) where the recipe has a
 * time parameter, the counter where it has a counter or random parameter. Everything else in a name is fixed.
 */
export interface Step {
  readonly time?: Seconds;
  readonly counter?: number;
}

/** One rounding unit: a device with a right clock uses `value` at instants in [start, end). */
export interface Epoch {
  /** The rounded instant, Unix seconds: what stands in the message. */
  readonly value: Seconds;
  readonly start: Instant;
  readonly end: Instant;
}

/** How long before its start and after its end an epoch's names resolve (B10). */
export interface Margins {
  readonly lead: Milliseconds;
  readonly grace: Milliseconds;
}

const DEFAULT_LOOK_AHEAD = 4;

interface Rounding {
  readonly unit: Milliseconds;
  /** How long before its value an epoch starts. */
  readonly early: Milliseconds;
}

function roundingOf(recipe: Recipe): Rounding | undefined {
  for (const parameter of recipe.parameters) {
    if (parameter.kind !== "time") continue;
    const unit = parameter.unit * 1000;
    return { unit, early: parameter.round === "nearest" ? unit / 2 : 0 };
  }
  return undefined;
}

function indexAt({ unit, early }: Rounding, instant: Instant): number {
  if (!Number.isFinite(instant)) throw new ParameterMissing(`instant: ${instant} is no instant`);
  return Math.floor((instant + early) / unit) + 0; // + 0 makes an ordinary zero of -0
}

function epochOf({ unit, early }: Rounding, index: number): Epoch {
  const middle = index * unit;
  return { value: middle / 1000, start: middle - early, end: middle - early + unit };
}

/** The epoch an instant falls into; a half rounds up, also before 1970. Undefined when the recipe has no time parameter (N3). */
export function epochAt(recipe: Recipe, instant: Instant): Epoch | undefined {
  const rounding = roundingOf(recipe);
  return rounding && epochOf(rounding, indexAt(rounding, instant));
}

/** The epochs whose names are to resolve at `instant` (B10: start - lead <= instant < end + grace), oldest first; none without a time parameter. */
export function liveEpochs(recipe: Recipe, instant: Instant, { lead, grace }: Margins): Epoch[] {
  if (!(lead >= 0 && grace >= 0)) throw new InternalError(`lead and grace must not be negative: ${lead}, ${grace}`);
  const rounding = roundingOf(recipe);
  if (rounding === undefined) return [];
  const epochs: Epoch[] = [];
  const last = indexAt(rounding, instant + lead);
  for (let index = indexAt(rounding, instant - grace); index <= last; index += 1) epochs.push(epochOf(rounding, index));
  return epochs;
}

/** Whether the recipe's names depend on a counter, which device and balancer then have to keep per device. */
export function usesCounter(recipe: Recipe): boolean {
  return recipe.parameters.some(({ kind }) => kind === "counter" || kind === "random");
}

/** How many counters beyond the expected one have a live name; 0 for a recipe without counter. */
export function lookAheadOf(recipe: Recipe): number {
  return usesCounter(recipe) ? (recipe.lookAhead ?? DEFAULT_LOOK_AHEAD) : 0;
}

function withCounters(recipe: Recipe, times: readonly Step[], counters: readonly number[]): Step[] {
  if (!usesCounter(recipe)) return [...times];
  return counters.flatMap((counter) => times.map((time) => ({ ...time, counter })));
}

/**
 * The step a device is in that has this clock and this counter. What the recipe does not use is left out of it.
 * @throws ParameterMissing when the recipe needs the one that is not given
 */
export function stepAt(recipe: Recipe, at: { readonly instant?: Instant; readonly counter?: number }): Step {
  const { instant, counter } = at;
  const rounding = roundingOf(recipe);
  if (rounding !== undefined && instant === undefined)
    throw new ParameterMissing("the recipe has a time parameter: an instant is needed");
  if (usesCounter(recipe) && counter === undefined) throw new ParameterMissing("the recipe has a counter: its value is needed");
  return {
    ...(rounding !== undefined && instant !== undefined ? { time: epochOf(rounding, indexAt(rounding, instant)).value } : {}),
    ...(usesCounter(recipe) && counter !== undefined ? { counter } : {}),
  };
}

/**
 * Every step whose name has to resolve now, for the balancer to publish and the instance to accept: the live epochs
 * (B10), times the counters `counter` to `counter + lookAhead`, `counter` being the lowest the device may use next.
 * A recipe with neither has one step, which never changes.
 */
export function liveSteps(recipe: Recipe, instant: Instant, margins: Margins, counter = 0): Step[] {
  const times: Step[] = roundingOf(recipe) ? liveEpochs(recipe, instant, margins).map(({ value }) => ({ time: value })) : [{}];
  return withCounters(
    recipe,
    times,
    Array.from({ length: lookAheadOf(recipe) + 1 }, (_, ahead) => counter + ahead),
  );
}

/**
 * The steps a device tries, its own first (D7): then the neighbouring epoch on the nearer side, then the one on the
 * farther, for clocks that are off near a boundary; with a counter also the counters up to the look-ahead.
 */
export function stepsToTry(recipe: Recipe, instant: Instant, counter = 0): Step[] {
  const rounding = roundingOf(recipe);
  let times: Step[] = [{}];
  if (rounding !== undefined) {
    const own = indexAt(rounding, instant);
    const { start, end } = epochOf(rounding, own);
    const neighbours = end - instant <= instant - start ? [own + 1, own - 1] : [own - 1, own + 1];
    times = [own, ...neighbours].map((index) => ({ time: epochOf(rounding, index).value }));
  }
  return withCounters(
    recipe,
    times,
    Array.from({ length: lookAheadOf(recipe) + 1 }, (_, ahead) => counter + ahead),
  );
}
