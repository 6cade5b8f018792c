import { InvalidInput } from "../lib/errors.ts";
import type { ObjectInstance, Resource, ResourceValue } from "./node.ts";
import { CORE_OBJECTS, type ResourceDefinition } from "./objects.ts";
import { isValidId } from "./path.ts";
import type { BootstrapProfile, ResourceSetting, ResourceSettings, ServerAccount, ValueSetting } from "./profile.ts";
import { type ValueTemplate, valueTemplate } from "./profile-value.ts";
import type { DeviceFacts } from "./steps.ts";

/** An Object Instance a profile writes. */
export interface InstanceTemplate {
  readonly objectId: number;
  readonly id: number;
  /** Where the profile says it, for errors: `servers[0]` or `objects`. */
  readonly origin: string;
  readonly resources: readonly ResourceTemplate[];
}

export type ResourceTemplate =
  | { readonly kind: "single"; readonly id: number; readonly value: ValueTemplate }
  | { readonly kind: "multiple"; readonly id: number; readonly values: readonly (readonly [number, ValueTemplate])[] };

/** Instance ids of server accounts start here: Wakaama keeps its bootstrap account at /0/0, Anjay's demo at /0/1. */
const FIRST_INSTANCE = 10;

/** Security Mode, /0/x/2. */
export const SECURITY_MODE = { psk: 0, rpk: 1, x509: 2, nosec: 3, est: 4 } as const;

/** The instances of a profile in the order they are written, /0 first, and what is wrong with its values. */
export function profileInstances(profile: BootstrapProfile): { instances: InstanceTemplate[]; problems: string[] } {
  const instances: InstanceTemplate[] = [];
  const problems: string[] = [];
  const seen = new Set<string>();
  const add = (objectId: number, id: number, settings: ResourceSettings, origin: string): void => {
    const path = `/${objectId}/${id}`;
    if (seen.has(path)) problems.push(`${origin}: ${path} is written twice`);
    seen.add(path);
    const resources = Object.entries(settings).flatMap(([resourceId, setting]) => {
      const definition = CORE_OBJECTS.get(objectId)?.resources.get(Number(resourceId));
      const where = `${path}/${resourceId}${definition === undefined ? "" : ` ${definition.name}`}`;
      try {
        return [resourceTemplate(Number(resourceId), setting, definition, where)];
      } catch (error) {
        if (!(error instanceof InvalidInput)) throw error;
        problems.push(`${origin}: ${where}: ${error.message}`);
        return [];
      }
    });
    instances.push({ objectId, id, origin, resources });
  };
  const ids = accountIds(profile);
  profile.servers.forEach((server, index) => {
    const id = ids[index] ?? FIRST_INSTANCE;
    const origin = `servers[${index}]`;
    for (const [objectId, own, further] of [
      [0, securitySettings(server), server.securityResources],
      [1, serverSettings(server), server.serverResources],
    ] as const) {
      for (const resourceId of Object.keys(further)) {
        if (resourceId in own) problems.push(`${origin}: /${objectId}/${id}/${resourceId} is set twice`);
      }
      add(objectId, id, { ...own, ...further }, origin);
    }
  });
  for (const [path, settings] of Object.entries(profile.objects)) {
    const [, objectId, id] = path.split("/").map(Number);
    if (objectId === undefined || id === undefined || objectId > 65535 || id > 65534)
      problems.push(`objects: ${path} is no object instance`);
    else add(objectId, id, settings, "objects");
  }
  instances.sort((a, b) => a.objectId - b.objectId || a.id - b.id);
  return { instances, problems };
}

function accountIds(profile: BootstrapProfile): number[] {
  const taken = new Set(profile.servers.flatMap((server) => server.instance ?? []));
  for (const path of Object.keys(profile.objects)) {
    const [, objectId, id] = path.split("/").map(Number);
    if ((objectId === 0 || objectId === 1) && id !== undefined) taken.add(id);
  }
  let next = FIRST_INSTANCE;
  return profile.servers.map((server) => {
    if (server.instance !== undefined) return server.instance;
    while (taken.has(next)) next += 1;
    taken.add(next);
    return next;
  });
}

function securitySettings(server: ServerAccount): ResourceSettings {
  const { security } = server;
  const psk = security.mode === "psk";
  return {
    0: server.uri,
    1: false,
    2: SECURITY_MODE[security.mode],
    // Mandatory in the object's definition, so written as empty where the mode has no use for them.
    3: { text: psk ? security.identity : "" },
    4: "",
    5: psk ? security.key : "",
    10: server.shortServerId,
  };
}

function serverSettings(server: ServerAccount): ResourceSettings {
  return { 0: server.shortServerId, 1: server.lifetime, 6: server.notificationStoring, 7: server.binding };
}

function resourceTemplate(
  id: number,
  setting: ResourceSetting,
  definition: ResourceDefinition | undefined,
  where: string,
): ResourceTemplate {
  if (definition !== undefined && definition.type === undefined) throw new InvalidInput("can only be executed");
  const byInstance = typeof setting === "object" && Object.keys(setting).every((key) => /^\d{1,5}$/.test(key));
  if (!byInstance) {
    if (definition?.multiple === true) throw new InvalidInput("has several values; write them as { 0: value, 1: value }");
    return { kind: "single", id, value: valueTemplate(setting as ValueSetting, definition, where) };
  }
  if (definition?.multiple === false) throw new InvalidInput("has one value only");
  const values = Object.entries(setting).map(([instanceId, value]): readonly [number, ValueTemplate] => {
    if (!isValidId(Number(instanceId), 3)) throw new InvalidInput("a resource instance id is 0 to 65535");
    return [Number(instanceId), valueTemplate(value as ValueSetting, definition, `${where}/${instanceId}`)];
  });
  return { kind: "multiple", id, values };
}

/** Whether no value of the instance waits for the device. */
export function isStatic(template: InstanceTemplate): boolean {
  return template.resources.every((resource) =>
    resource.kind === "single" ? "known" in resource.value : resource.values.every(([, value]) => "known" in value),
  );
}

/**
 * The instance for one device.
 * @throws ProfileMismatch
 */
export function fillInstance(template: InstanceTemplate, device: DeviceFacts): ObjectInstance {
  const fill = (value: ValueTemplate): ResourceValue => ("known" in value ? value.known : value.fill(device));
  const resources = new Map<number, Resource>();
  for (const resource of template.resources) {
    const { id } = resource;
    if (resource.kind === "single") resources.set(id, { kind: "single", id, value: fill(resource.value) });
    else resources.set(id, { kind: "multiple", id, instances: new Map(resource.values.map(([at, value]) => [at, fill(value)])) });
  }
  return { objectId: template.objectId, id: template.id, resources };
}
