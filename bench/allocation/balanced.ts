import { type BenchFleet, instanceId, register, startFleet } from "../balancer/fleet.ts";
import { cpuOf, figure } from "../balancer/slice-watch.ts";
import { type Figures, moved, overMean } from "./measures.ts";

/** What the balancer does, beyond what names do. */
export interface BalancedFigures extends Figures {
  /** The share of all names that should move, as it is the first instance's. */
  readonly ideal: number;
  /** The longest time at a stretch in which nothing else ran while the instance left, ms. */
  readonly longestStallMs: number;
}

/** Measures a policy through the whole balancer: a leave takes as long as it takes until the last name is right in DNS. */
export async function measureBalanced(policy: string, names: number, instances: number): Promise<BalancedFigures> {
  const weights = Array.from({ length: instances }, (_, number) => (policy === "weighted" ? 1 + (number % 4) : 1));
  // The garbage of the fleets before. Not later than this, as compiled code goes with it.
  globalThis.gc?.();
  const fleet = await startFleet(names, instances, policy);
  const { api, watch, balancer } = fleet;
  for (const [number, weight] of weights.entries()) await register(api, number, weight);
  await balancer.rotate("weights are known");
  const [first, before] = [evenness(fleet, weights), homes(fleet)];
  watch.start();
  const ms = await cpuOf(async () => api.leave({ params: { id: instanceId(0) }, query: {}, body: undefined }));
  watch.stop();
  const longestStallMs = figure(watch.longestMs);
  const [second, between] = [evenness(fleet, weights), homes(fleet)];
  await register(api, 0, weights[0] ?? 1);
  await balancer.idle();
  return {
    maxOverMean: Math.max(first, second, evenness(fleet, weights)),
    movedOnLeave: moved(before, between) / names,
    movedOnJoin: moved(between, homes(fleet)) / names,
    ms: figure(ms),
    ideal: (weights[0] ?? 1) / weights.reduce((sum, weight) => sum + weight, 0),
    longestStallMs,
  };
}

function evenness({ balancer }: BenchFleet, weights: readonly number[]): number {
  const serving = balancer.instances.serving();
  return overMean(
    serving.map((index) => balancer.fleet.countsOf(index).pending),
    serving.map((index) => weights[index] ?? 1),
  );
}

function homes({ balancer }: BenchFleet): Int32Array {
  return Int32Array.from(balancer.fleet.rows, (device) => device?.progress.home ?? -1);
}
