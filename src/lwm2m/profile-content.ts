import { ContentFormat } from "./content-format.ts";
import { BERTH_OBJECT, CORE_OBJECTS, type ObjectDefinitions } from "./objects.ts";
import { isValidId } from "./path.ts";
import type {
  BootstrapProfile,
  InstanceSettings,
  ObjectSetting,
  ResourceFormatName,
  ResourceSetting,
  ResourceSettings,
} from "./profile.ts";
import { accountPart, type ContentPart, FreeIds, serverPart } from "./profile-accounts.ts";
import {
  type InstanceTemplate,
  isAccount,
  placeText,
  type ResourceTemplate,
  TemplateMaker,
  valuesOf,
} from "./profile-instances.ts";
import { Deletes, type Slots } from "./profile-place.ts";
import type { FreshKeyWanted } from "./steps.ts";

/** All a profile writes. */
export interface ProfileContent {
  /** In the order they are sent. */
  readonly writes: readonly WriteTemplate[];
  readonly slots: Slots;
  readonly freshKeys: readonly FreshKeyWanted[];
  /** What cannot be written, one line each. */
  readonly problems: readonly string[];
}

/** A Bootstrap-Write: of an Object with some of its instances, of one Object Instance, or of one Resource of one. */
export type WriteTemplate =
  | { readonly level: "object"; readonly objectId: number; readonly instances: readonly InstanceTemplate[] }
  | { readonly level: "instance"; readonly objectId: number; readonly instances: readonly [InstanceTemplate] }
  /** The instance has no other resource; `format` is that of this write alone. */
  | {
      readonly level: "resource";
      readonly objectId: number;
      readonly instances: readonly [InstanceTemplate];
      readonly resource: ResourceTemplate;
      readonly format?: number;
    };

/**
 * Works out what a profile writes: /0 before /1 before /2 before the others, the Berth object and the bootstrap account
 * last, so that the device has all that belongs to its new account when that takes the place of the old one.
 * @throws InvalidPath when an entry of `delete` is no path
 */
export function profileContent(profile: BootstrapProfile, definitions: ObjectDefinitions = CORE_OBJECTS): ProfileContent {
  const maker = new TemplateMaker(definitions);
  const ids = new FreeIds(profile);
  const { bootstrapServer } = profile;
  const parts: readonly ContentPart[] = [
    ...profile.servers.map((server, index) => serverPart(maker, ids, server, `servers[${index}]`)),
    ...(bootstrapServer === undefined ? [] : [accountPart(maker, ids, bootstrapServer)]),
  ];
  const writes: WriteTemplate[] = parts
    .flatMap((part) => part.instances)
    .map((instance) => ({ level: "instance", objectId: instance.objectId, instances: [instance] }));
  for (const [path, setting] of Object.entries(profile.objects)) {
    writes.push(...objectWrite(maker, path, setting, profile.resourceFormat));
  }
  writes.sort(
    (a, b) => rank(a) - rank(b) || a.objectId - b.objectId || LEVELS[a.level] - LEVELS[b.level] || firstId(a) - firstId(b),
  );
  return {
    writes,
    slots: slotsOf(profile, parts, writes),
    freshKeys: parts.flatMap(({ freshKey }) => freshKey ?? []),
    problems: [...maker.problems, ...writtenTwice(writes)],
  };
}

const LEVELS = { object: 0, instance: 1, resource: 2 } as const;

function rank({ objectId, instances }: WriteTemplate): number {
  if (instances.some(isAccount)) return 2;
  return objectId === BERTH_OBJECT ? 1 : 0;
}

function firstId({ instances }: WriteTemplate): number {
  return instances[0]?.id ?? 0;
}

/** The write of one key of `objects`; none where its ids are none. */
function objectWrite(
  maker: TemplateMaker,
  path: string,
  setting: ObjectSetting,
  resourceFormat: ResourceFormatName | undefined,
): WriteTemplate[] {
  const [, objectId = 0, id, resourceId] = path.split("/").map(Number);
  const origin = "objects";
  if (![objectId, id, resourceId].every((part, level) => part === undefined || isValidId(part, level))) {
    maker.problems.push(`${origin}: ${path} is no path; ids go to 65535, and those of object instances to 65534`);
    return [];
  }
  const instance = (instanceId: number, resources: ResourceSettings): InstanceTemplate =>
    maker.instance({ objectId, id: instanceId, fixed: true, origin }, resources);
  if (id === undefined) {
    const entries = Object.entries(setting as InstanceSettings);
    if (entries.some(([instanceId]) => !isValidId(Number(instanceId), 1)))
      maker.problems.push(`${origin}: ${path}: an object instance id is 0 to 65534`);
    const instances = entries.map(([instanceId, resources]) => instance(Number(instanceId), resources));
    if (instances.length === 0) maker.problems.push(`${origin}: ${path} has no instances; to empty an object, delete it`);
    return [{ level: "object", objectId, instances }];
  }
  if (resourceId === undefined) return [{ level: "instance", objectId, instances: [instance(id, setting as ResourceSettings)] }];
  const single = instance(id, { [resourceId]: setting as ResourceSetting });
  const [resource] = single.resources;
  if (resource === undefined) return [];
  if (objectId === 0 || objectId === 21)
    maker.problems.push(`${origin}: ${path}: write it with its instance, which may have another id in each client`);
  const format = resourceFormat === undefined ? undefined : formatOf(maker, path, resource, resourceFormat);
  return [{ level: "resource", objectId, instances: [single], resource, ...(format === undefined ? {} : { format }) }];
}

function formatOf(maker: TemplateMaker, path: string, resource: ResourceTemplate, name: ResourceFormatName): number | undefined {
  if (resource.kind === "multiple") {
    maker.problems.push(`objects: ${path}: a resource with several values has no ${name} form; write its instance instead`);
    return undefined;
  }
  if (name === "cbor") return ContentFormat.cbor;
  return valuesOf(resource).some(({ type }) => type === "opaque") ? ContentFormat.opaque : ContentFormat.text;
}

function slotsOf(profile: BootstrapProfile, parts: readonly ContentPart[], writes: readonly WriteTemplate[]): Slots {
  const accounts = parts.flatMap(({ account }) => account ?? []);
  const instances = writes.filter(({ level }) => level !== "resource").flatMap((write) => write.instances);
  const said = (objectId: number): number[] =>
    instances
      .filter((template) => template.objectId === objectId && template.origin === "objects" && !isAccount(template))
      .map(({ id }) => id);
  const bootstrapAccount = instances.find(isAccount);
  return {
    accounts,
    security: said(0),
    servers: said(1),
    oscore: [...parts.flatMap(({ oscore }) => oscore ?? []), ...said(21).map((id) => ({ id, fixed: true }))],
    ...(bootstrapAccount === undefined ? {} : { bootstrapAccount }),
    deletes: new Deletes(profile.delete),
  };
}

/** Everything is written once, but for resources that are written by themselves after their instance. */
function writtenTwice(writes: readonly WriteTemplate[]): string[] {
  const seen = new Set<string>();
  return writes.flatMap((write) =>
    write.instances.flatMap(({ objectId, id, fixed, origin }) => {
      const path = `${placeText(objectId, id, fixed)}${write.level === "resource" ? `/${write.resource.id}` : ""}`;
      const key = `${objectId}/${id}${write.level === "resource" ? `/${write.resource.id}` : ""}`;
      if (!seen.has(key)) {
        seen.add(key);
        return [];
      }
      return [`${origin}: ${path} is written twice`];
    }),
  );
}
