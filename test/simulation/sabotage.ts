import type { World } from "../balancer/world.ts";
import type { INVARIANTS } from "./invariants.ts";

/** What spoils a balancer so that an invariant breaks, and no other before it. */
export const SABOTAGE: Record<keyof typeof INVARIANTS, (world: World) => void> = {
  /** An epoch's names go when those of the next come. */
  found: ({ table }) => {
    const publish = table.publish.bind(table);
    table.publish = (generation) => {
      publish(generation);
      for (const id of table.generations) if (id !== 0 && id !== generation.id) table.withdraw(id);
    };
  },
  /** What an instance may serve is forgotten. */
  welcome: ({ balancer: { registrar } }) => {
    registrar.mayServe = () => false;
  },
  /** Devices in progress are given to others like any. */
  unmoved: ({ balancer }) => {
    const tick = balancer.tick.bind(balancer);
    balancer.tick = () => {
      const { fleet, instances, registrar } = balancer;
      for (const device of [...fleet.commenced.keys()]) {
        const home = instances.serving().find((index) => index !== device.progress.home);
        if (home !== undefined) registrar.change(device, { ...device.progress, home });
      }
      tick();
    };
  },
  /** Completions are acknowledged, and lost. */
  completed: ({ balancer: { inbox } }) => {
    const receive = inbox.receive.bind(inbox);
    inbox.receive = (instance, batch) =>
      receive(instance, { ...batch, notifications: batch.notifications.filter(({ kind }) => kind !== "completed") });
  },
  /** All names of an epoch lead to one instance. */
  balanced: ({ table, balancer: { instances } }) => {
    const begin = table.beginGeneration.bind(table);
    table.beginGeneration = (id, expected) => {
      const generation = begin(id, expected);
      const add = generation.add.bind(generation);
      generation.add = (host) => add(host, instances.serving()[0] ?? 0);
      return generation;
    };
  },
  /** Instances that are silent count as heard. */
  gone: ({ balancer }) => {
    const tick = balancer.tick.bind(balancer);
    balancer.tick = () => {
      for (const instance of balancer.instances.alive()) instance.lastSeen = Number.POSITIVE_INFINITY;
      tick();
    };
  },
};
