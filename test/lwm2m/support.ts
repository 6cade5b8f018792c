import { parse } from "yaml";
import {
  type BootstrapProfile,
  type BootstrapStep,
  CORE_OBJECTS,
  ContentFormat,
  compileProfile,
  type DeviceFacts,
  type DiscoverAnswer,
  decodeContent,
  decodeDiscover,
  multiple,
  type ObjectDefinition,
  type ObjectDefinitions,
  type ObjectInstance,
  objectInstance,
  type PlanContext,
  parsePath,
  parseProfile,
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
export function bootstrapSteps(
  profile: BootstrapProfile,
  device: DeviceFacts,
  context: PlanContext = {},
): readonly BootstrapStep[] {
  return compileProfile(profile).plan(device, context).steps;
}

/** What a step is, in a few words: `write /0/10`. */
export function nameOf(step: BootstrapStep): string {
  return "path" in step ? `${step.kind} ${step.path}` : step.kind;
}

/** The instances a step writes, read back from its payload in this format or, where it has its own, in that. */
export function written(step: BootstrapStep, format: number = ContentFormat.tlv): readonly ObjectInstance[] {
  if (step.kind !== "write") return [];
  const used = step.formats?.[0] ?? format;
  return decodeContent(used, parsePath(step.path), step.payload(used));
}

/** All instances the steps write. */
export function writtenBy(steps: readonly BootstrapStep[], format?: number): readonly ObjectInstance[] {
  return steps.flatMap((step) => written(step, format));
}

/** What a client answers to Discover, from its text. */
export function discovered(text: string): DiscoverAnswer {
  return decodeDiscover(Buffer.from(text));
}

export const KEY = "00112233445566778899aabbccddeeff";
export const DEVICE: DeviceFacts = { endpoint: "urn:dev:1", attributes: { server_key: KEY, zone: "eu", lifetime: "600" } };

export function profileOf(yaml: string, definitions: ObjectDefinitions = CORE_OBJECTS): BootstrapProfile {
  return parseProfile(parse(yaml), "profile.yaml", definitions);
}

/** One PSK server, with `more` lines in it. */
export function server(more = "", security = `{ mode: psk, identity: "{endpoint}", key: "{attributes.server_key}" }`): string {
  return `
servers:
  - uri: coaps://lwm2m.example.com:5684
    shortServerId: 101
    security: ${security}
${more}`;
}
