import { MalformedContent } from "./errors.ts";
import type { ObjectInstance, Resource, ResourceValue } from "./node.ts";
import { formatPath, type Path } from "./path.ts";

/** Collects the values of a payload that names each by its full path, in any order, into object instances. */
export class InstanceBuilder {
  readonly #instances = new Map<string, { objectId: number; id: number; resources: Map<number, Resource> }>();
  /** The name of the format, for errors. */
  readonly #format: string;

  constructor(format: string) {
    this.#format = format;
  }

  /** Makes sure there is the instance of this path, and a multiple resource too if the path names one. */
  open(path: Path): Map<number, Resource> {
    const [objectId = 0, id = 0, resourceId] = path;
    const key = `${objectId}/${id}`;
    const instance = this.#instances.get(key) ?? { objectId, id, resources: new Map<number, Resource>() };
    this.#instances.set(key, instance);
    if (resourceId === undefined) return instance.resources;
    const before = instance.resources.get(resourceId);
    if (before?.kind === "single") throw this.#twice(path);
    if (before === undefined) instance.resources.set(resourceId, { kind: "multiple", id: resourceId, instances: new Map() });
    return instance.resources;
  }

  /**
   * Adds the value of a Resource or Resource Instance.
   * @throws MalformedContent when there is one already
   */
  add(path: Path, value: ResourceValue): void {
    const [, , resourceId = 0, instanceId] = path;
    if (instanceId === undefined) {
      const resources = this.open(path.slice(0, 2));
      if (resources.has(resourceId)) throw this.#twice(path);
      resources.set(resourceId, { kind: "single", id: resourceId, value });
      return;
    }
    const resource = this.open(path.slice(0, 3)).get(resourceId);
    if (resource?.kind !== "multiple" || resource.instances.has(instanceId)) throw this.#twice(path);
    (resource.instances as Map<number, ResourceValue>).set(instanceId, value);
  }

  /** What was collected for a request to `path`. Of an Object Instance without any resource the instance itself is left. */
  finish(path: Path): ObjectInstance[] {
    const [objectId, id] = path;
    if (this.#instances.size === 0 && path.length === 2 && objectId !== undefined && id !== undefined)
      return [{ objectId, id, resources: new Map() }];
    return [...this.#instances.values()];
  }

  #twice(path: Path): MalformedContent {
    return new MalformedContent(`${this.#format}: ${formatPath(path)} is there twice`);
  }
}
