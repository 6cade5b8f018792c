import type { ObjectInstance } from "../lwm2m/index.ts";

/**
 * The object instances of a device. A tree never changes: each change gives a new one, so that going back to what
 * was before a bootstrap is to keep the old.
 */
export class ObjectTree {
  readonly #instances: ReadonlyMap<number, ObjectInstance>;

  constructor(instances: Iterable<ObjectInstance> = []) {
    this.#instances = new Map(Array.from(instances, (instance) => [keyOf(instance.objectId, instance.id), instance]));
  }

  get(objectId: number, instanceId: number): ObjectInstance | undefined {
    return this.#instances.get(keyOf(objectId, instanceId));
  }

  /** All instances, or those of one object, in the order of their ids. */
  instances(objectId?: number): ObjectInstance[] {
    return [...this.#instances.values()]
      .filter((instance) => objectId === undefined || instance.objectId === objectId)
      .sort((a, b) => a.objectId - b.objectId || a.id - b.id);
  }

  /** This tree with `instances` put in, each in place of the one that has its ids. */
  with(...instances: readonly ObjectInstance[]): ObjectTree {
    return new ObjectTree([...this.#instances.values(), ...instances]);
  }

  /** The instances for which `keep` says so. */
  filter(keep: (instance: ObjectInstance) => boolean): ObjectTree {
    return new ObjectTree([...this.#instances.values()].filter(keep));
  }
}

function keyOf(objectId: number, instanceId: number): number {
  return objectId * 0x10000 + instanceId;
}
