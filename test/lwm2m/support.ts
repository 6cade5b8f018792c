import {
  type BootstrapProfile,
  type BootstrapStep,
  CORE_OBJECTS,
  compileProfile,
  type DeviceFacts,
  multiple,
  type ObjectDefinition,
  type ObjectDefinitions,
  type ObjectInstance,
  objectInstance,
  parsePath,
  type Resource,
  type ResourceDefinition,
  type ResourceType,
  type ResourceValue,
  single,
} from "../../src/lwm2m/index.ts";

/** A value as the vectors write it: its type, then the value; opaque as hex, object links as `object:instance`. */
export type VectorValue = readonly [type: ResourceType, value: string | number | boolean];
export type VectorResources = Readonly<Record<string, VectorValue | Readonly<Record<string, VectorValue>>>>;

function toValue([type, value]: VectorValue): ResourceValue {
  if (type === "opaque") return { type, value: new Uint8Array(Buffer.from(String(value), "hex")) };
  if (type === "objlnk") {
    const [objectId = 0, instanceId = 0] = String(value).split(":").map(Number);
    return { type, value: { objectId, instanceId } };
  }
  return { type, value } as ResourceValue;
}

export function toInstance(path: string, resources: VectorResources): ObjectInstance {
  const [objectId = 0, id = 0] = parsePath(path);
  return objectInstance(
    objectId,
    id,
    Object.entries(resources).map(([resourceId, value]) => toResource(Number(resourceId), value)),
  );
}

function toResource(id: number, value: VectorResources[string]): Resource {
  if (isValue(value)) return single(id, toValue(value));
  return multiple(
    id,
    Object.entries(value).map(([at, one]) => [Number(at), toValue(one)] as const),
  );
}

function isValue(value: VectorResources[string]): value is VectorValue {
  return Array.isArray(value);
}

/** The core objects and others, of which only the types of resources matter here. */
export function definitions(types: Readonly<Record<string, Readonly<Record<string, ResourceType>>>>): ObjectDefinitions {
  const added = Object.entries(types).map(([objectId, resources]): [number, ObjectDefinition] => {
    const all = Object.entries(resources).map(([id, type]): [number, ResourceDefinition] => {
      return [Number(id), { id: Number(id), name: `Resource ${id}`, multiple: false, mandatory: false, type }];
    });
    const head = { id: Number(objectId), name: `Object ${objectId}`, version: "1.0", lwm2mVersion: "1.0", multiple: true };
    return [head.id, { ...head, resources: new Map(all) }];
  });
  return new Map([...CORE_OBJECTS, ...added]);
}

/** The steps of one device. */
export function bootstrapSteps(profile: BootstrapProfile, device: DeviceFacts, clientFormat?: number): BootstrapStep[] {
  return compileProfile(profile).steps(device, clientFormat);
}
