import type { Milliseconds } from "../../src/lib/clock.ts";
import { MINUTE } from "../balancer/world.ts";
import type { Figures, ModelDevice, ModelInstance } from "./parts.ts";
import { Simulation, type SimulationOptions } from "./simulation.ts";

/** One epoch of the recipe berth-1. */
const EPOCH: Milliseconds = 60 * MINUTE;
/** Instances at the start, and between which numbers they stay. */
const [INSTANCES, FEWEST, MOST] = [6, 3, 12];
/** How often things happen in an epoch. */
const RATES = { join: 0.6, leave: 0.4, crash: 0.8, restart: 0.4, pause: 1.5, drain: 0.2, rotate: 0.2, balancer: 0.1 };
/** One in so many devices is armed again when it is completed, and one in so many has a clock that is worse than allowed. */
const [REARMED, WRONG] = [0.1, 0.01];
/** Until all are completed after the last epoch. */
const LIMIT: Milliseconds = 60 * MINUTE;

/** What {@link simulateDay} simulates. */
export interface DayOptions extends Omit<SimulationOptions, "instances"> {
  readonly epochs: number;
  readonly say: (line: string) => void;
}

/** Runs a day in the life of a fleet. @throws InvariantBroken */
export async function simulateDay({ epochs, say, ...options }: DayOptions): Promise<Figures> {
  const simulation = await Simulation.start({ ...options, instances: INSTANCES });
  const { uniform, devices } = simulation;
  const start = simulation.now;
  const length = epochs * EPOCH;
  for (const device of devices) {
    if (uniform() < WRONG) device.error *= 3;
    simulation.at(start + simulation.patience + arrival(uniform, length - EPOCH / 2), () => simulation.visits.come(device));
  }
  for (const [kind, rate] of Object.entries(RATES)) {
    for (let left = Math.max(1, Math.round(rate * epochs)); left > 0; left--) {
      simulation.at(start + uniform() * length, () => happen(simulation, kind as keyof typeof RATES));
    }
  }
  simulation.onDone = (device) => comeAgain(simulation, device, start + length - EPOCH);
  for (let epoch = 1; epoch <= epochs; epoch++) {
    await simulation.pass(EPOCH);
    const { pending, commenced, completed } = simulation.world.balancer.fleet.counts;
    say(`epoch ${epoch}: ${pending} pending, ${commenced} commenced, ${completed} completed, ${simulation.up.length} instances`);
  }
  await simulation.finish(LIMIT);
  return simulation.figures;
}

/** When a device comes: within a minute of the end of a power cut, in the morning, or at any time of the day. */
function arrival(uniform: () => number, day: Milliseconds): Milliseconds {
  const wave = uniform();
  if (wave < 0.2) return 0.45 * day + uniform() * MINUTE;
  if (wave < 0.5) return (0.2 + (uniform() + uniform()) * 0.05) * day;
  return uniform() * day;
}

async function happen(simulation: Simulation, kind: keyof typeof RATES): Promise<void> {
  const { uniform, up } = simulation;
  const one = up[Math.floor(uniform() * up.length)] as ModelInstance;
  const spare = up.length > FEWEST;
  switch (kind) {
    case "join":
      if (up.length < MOST) await simulation.join();
      return;
    case "leave":
      if (spare) await simulation.leave(one);
      return;
    case "crash":
      if (spare) simulation.crash(one, 30_000 + uniform() * 10 * MINUTE);
      return;
    case "restart":
      if (spare) simulation.crash(one, 1000 + uniform() * 2000);
      return;
    case "pause":
      if (spare) simulation.pause(one, 2000 + uniform() * 13_000);
      return;
    case "drain":
      if (!spare) return;
      await simulation.drain(one, true);
      return simulation.at(simulation.now + (5 + uniform() * 30) * MINUTE, () => simulation.drain(one, false));
    case "rotate":
      return simulation.rotate();
    case "balancer":
      return simulation.restartBalancer();
  }
}

/** Some devices lose what they have, and are armed again; they come when resolvers have forgotten that they had no name. */
function comeAgain(simulation: Simulation, device: ModelDevice, last: number): void {
  const { uniform, now, patience } = simulation;
  if (now > last || uniform() >= REARMED) return;
  simulation.at(now + (5 + uniform() * 20) * MINUTE, async () => {
    await simulation.rearm(device);
    simulation.at(simulation.now + patience + uniform() * 30 * MINUTE, () => simulation.visits.come(device));
  });
}
