import type { InstancePlan, MoveReason, PlanReply, PlanRequest } from "../control/index.ts";
import { InvalidInput } from "../lib/errors.ts";
import { NOWHERE } from "./device.ts";
import type { Epochs } from "./epochs.ts";
import type { Fleet } from "./fleet.ts";
import type { Instances } from "./instances.ts";
import type { Publisher } from "./publisher.ts";
import type { Spreader } from "./spreader.ts";

/** What the planner works on. */
export interface PlannerOptions {
  readonly fleet: Fleet;
  readonly instances: Instances;
  readonly publisher: Publisher;
  readonly epochs: Epochs;
  readonly spreader: Spreader;
}

/** An {@link InstancePlan} that is being counted. */
type Counting = { -readonly [Key in keyof InstancePlan]: InstancePlan[Key] };

/**
 * What would change, without changing it (B16): at the next regeneration of names, or at once if instances were lost or
 * had other weights. Called in turn.
 * @throws InvalidInput for an instance that is not known
 */
export async function planNext(parts: PlannerOptions, { without = [], weights = {} }: PlanRequest): Promise<PlanReply> {
  const { fleet, instances, publisher, epochs, spreader } = parts;
  for (const id of [...without, ...Object.keys(weights)]) {
    if (instances.get(id) === undefined) throw new InvalidInput(`instance: ${id} is not known`);
  }
  const supposed = without.length > 0 || Object.keys(weights).length > 0;
  const serving = spreader
    .facts()
    .filter(({ id }) => !without.includes(id))
    .map((facts) => ({ ...facts, override: weights[facts.id] ?? facts.override }))
    .filter(({ override }) => override !== 0);
  const occasion = supposed && Object.keys(weights).length === 0 ? "rehome" : "level";
  const counts = new Map<number, Counting>();
  const of = (index: number): Counting => {
    const { pending } = fleet.countsOf(index);
    const id = instances.at(index)?.id ?? "";
    const counting = counts.get(index) ?? { id, before: pending, after: pending, arriving: 0, leaving: 0, added: 0, removed: 0 };
    counts.set(index, counting);
    return counting;
  };
  for (const { index, state } of instances.all()) if (state !== "left" || fleet.countsOf(index).pending > 0) of(index);
  const reasons = new Map<MoveReason, number>();
  let moved = 0;
  await spreader.plan(
    { kind: occasion },
    ({ progress: { home } }, to, reason) => {
      moved++;
      reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
      if (home !== NOWHERE) {
        of(home).leaving++;
        of(home).after--;
      }
      if (to !== NOWHERE) {
        of(to).arriving++;
        of(to).after++;
      }
    },
    serving,
  );
  const next = supposed ? { at: null, up: [], down: [] } : epochs.next;
  for (const [index, counting] of counts) {
    counting.added = counting.after * next.up.length;
    counting.removed = next.down.reduce((sum, step) => sum + publisher.namesOf(step, index), 0);
  }
  const all = [...counts.values()].sort((a, b) => a.id.localeCompare(b.id, "en", { numeric: true }));
  const sum = (of: (each: InstancePlan) => number): number => all.reduce((total, each) => total + of(each), 0);
  return {
    at: next.at,
    added: sum(({ added }) => added),
    removed: sum(({ removed }) => removed),
    moved,
    reasons: [...reasons].map(([reason, devices]) => ({ reason, devices })),
    instances: all,
  };
}
