/**
 * The one model all formats are read into and written from: object instances, their resources, typed values.
 *
 * Integers (also `unsigned` and `time`) are a `number` while they are safe integers and a `bigint` beyond, so
 * that 64 bits survive and everyday values stay everyday numbers. {@link toInteger} makes the choice.
 */
export type ResourceValue = { [T in ResourceType]: { readonly type: T; readonly value: ValueTypes[T] } }[ResourceType];

/** The data types of LwM2M Core 1.1, appendix C, that the bootstrap objects use. */
export type ResourceType = keyof ValueTypes;

/** What holds the value of each data type. */
export interface ValueTypes {
  string: string;
  integer: number | bigint;
  unsigned: number | bigint;
  float: number;
  boolean: boolean;
  opaque: Uint8Array;
  /** Seconds since 1970-01-01T00:00:00Z. */
  time: number | bigint;
  objlnk: ObjectLink;
}

/** Points to an Object Instance; 65535:65535 points nowhere. */
export interface ObjectLink {
  readonly objectId: number;
  readonly instanceId: number;
}

/** A Resource with one value, or one with an instance id for each of its values. */
export type Resource = SingleResource | MultipleResource;

export interface SingleResource {
  readonly kind: "single";
  readonly id: number;
  readonly value: ResourceValue;
}

export interface MultipleResource {
  readonly kind: "multiple";
  readonly id: number;
  readonly instances: ReadonlyMap<number, ResourceValue>;
}

/** An Object Instance, or as much of it as a payload holds. */
export interface ObjectInstance {
  readonly objectId: number;
  readonly id: number;
  readonly resources: ReadonlyMap<number, Resource>;
}

/** An integer in the form the model keeps it: a `number` while that is safe, else a `bigint`. */
export function toInteger(value: bigint | number): number | bigint {
  if (typeof value === "number") return Number.isSafeInteger(value) ? value : BigInt(value);
  return value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER ? Number(value) : value;
}

const INT64_MAX = 2n ** 63n - 1n;
const UINT64_MAX = 2n ** 64n - 1n;

/** Whether `value` is a whole number that fits the type: 64 bits, `unsigned` from 0, the others signed. */
export function isInteger64(type: "integer" | "unsigned" | "time", value: number | bigint): boolean {
  if (typeof value === "number") {
    if (Number.isSafeInteger(value)) return type !== "unsigned" || value >= 0;
    if (!Number.isInteger(value)) return false;
  }
  const exact = BigInt(value);
  return type === "unsigned" ? exact >= 0n && exact <= UINT64_MAX : exact >= -INT64_MAX - 1n && exact <= INT64_MAX;
}

/** A resource with one value. */
export function single(id: number, value: ResourceValue): SingleResource {
  return { kind: "single", id, value };
}

/** A resource with a value for each resource instance id. */
export function multiple(id: number, instances: Iterable<readonly [number, ResourceValue]>): MultipleResource {
  return { kind: "multiple", id, instances: new Map(instances) };
}

/** An object instance made of `resources`. */
export function objectInstance(objectId: number, id: number, resources: Iterable<Resource>): ObjectInstance {
  const map = new Map<number, Resource>();
  for (const resource of resources) map.set(resource.id, resource);
  return { objectId, id, resources: map };
}

/** The value of a single resource if it is there and of that type. */
export function resourceValue<T extends ResourceType>(
  instance: ObjectInstance,
  resourceId: number,
  type: T,
): ValueTypes[T] | undefined {
  const resource = instance.resources.get(resourceId);
  if (resource?.kind !== "single" || resource.value.type !== type) return undefined;
  return resource.value.value as ValueTypes[T];
}
