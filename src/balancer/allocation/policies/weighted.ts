import type { InstanceFacts, SpreadPolicy } from "../facts.ts";

/** Up to this much CPU an instance counts in full: 1 is one core, and an instance has one. */
const RELAXED = 0.5;
/** Of an instance that is at its limit so much still counts. */
const LEAST = 0.1;

/** By resources: what an instance can do, less what it has to do already. */
export const weighted: SpreadPolicy = {
  name: "weighted",
  measure(instances) {
    const capacity = capacityOf(instances);
    return instances.map((instance) => ({
      index: instance.index,
      weight: instance.override ?? capacity(instance) * headroom(instance),
      base: instance.commenced,
    }));
  },
};

/** Declared weights, where somebody declared any; else the handshakes a second each has found it can do. */
function capacityOf(instances: readonly InstanceFacts[]): (instance: InstanceFacts) => number {
  const measured = ({ load }: InstanceFacts): number => load.admission.handshakesPerSecond;
  const declared = instances.some(({ weight }) => weight !== 1);
  // One that has not said yet what it can do is not to be left out, nor to get all.
  if (declared || instances.some((instance) => measured(instance) <= 0)) return ({ weight }) => weight;
  const largest = Math.max(...instances.map(measured));
  return (instance) => measured(instance) / largest;
}

function headroom({ load }: InstanceFacts): number {
  const left = (1 - Math.min(1, load.cpu)) / (1 - RELAXED);
  const share = Math.max(LEAST, Math.min(1, left));
  return load.admission.full ? share / 2 : share;
}
