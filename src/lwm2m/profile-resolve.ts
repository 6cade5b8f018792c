import { CORE_OBJECTS, type ObjectDefinitions, type ResourceDefinition } from "./objects.ts";
import type {
  BootstrapProfile,
  InstanceSettings,
  ObjectSetting,
  ResourceSetting,
  ResourceSettings,
  ValueSetting,
} from "./profile.ts";
import { isByInstance } from "./profile-instances.ts";

/**
 * The same profile for who has no definitions but {@link CORE_OBJECTS}: every value in another object that
 * `definitions` know says its type itself.
 * @param profile one that was parsed with these definitions
 */
export function resolveProfile(profile: BootstrapProfile, definitions: ObjectDefinitions): BootstrapProfile {
  const resolve = (objectId: number, settings: ResourceSettings): ResourceSettings =>
    mapValues(settings, (setting, id) => explicit(setting, resourceDefinition(definitions, objectId, Number(id))));
  return {
    ...profile,
    objects: mapValues(profile.objects, (setting, path): ObjectSetting => {
      const [, objectId = 0, id, resourceId] = path.split("/").map(Number);
      if (id === undefined) return mapValues(setting as InstanceSettings, (resources) => resolve(objectId, resources));
      if (resourceId === undefined) return resolve(objectId, setting as ResourceSettings);
      return explicit(setting as ResourceSetting, resourceDefinition(definitions, objectId, resourceId));
    }),
  };
}

/** What only `definitions` say of a resource. */
function resourceDefinition(definitions: ObjectDefinitions, objectId: number, id: number): ResourceDefinition | undefined {
  return CORE_OBJECTS.has(objectId) ? undefined : definitions.get(objectId)?.resources.get(id);
}

function explicit(setting: ResourceSetting, definition: ResourceDefinition | undefined): ResourceSetting {
  const type = definition?.type;
  if (type === undefined) return setting;
  if (isByInstance(setting)) return mapValues(setting, (value) => typed(value, type));
  return typed(setting as ValueSetting, type);
}

function typed(setting: ValueSetting, type: string): ValueSetting {
  if (typeof setting === "object") return setting;
  return { [type === "opaque" ? "hex" : type]: setting };
}

function mapValues<T, U>(record: Readonly<Record<string, T>>, map: (value: T, key: string) => U): Readonly<Record<string, U>> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, map(value, key)]));
}
