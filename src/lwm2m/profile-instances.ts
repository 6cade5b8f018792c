import { InvalidInput } from "../lib/errors.ts";
import type { ObjectInstance, Resource, ResourceValue } from "./node.ts";
import type { ObjectDefinitions, ResourceDefinition } from "./objects.ts";
import { isValidId } from "./path.ts";
import type { ResourceSetting, ResourceSettings, ValueSetting } from "./profile.ts";
import type { Placement } from "./profile-place.ts";
import type { MakeTemplate } from "./profile-security.ts";
import { type Facts, type ValueTemplate, valueTemplate } from "./profile-value.ts";

/** Which instance a profile writes, and where it says so. */
export interface InstancePlace {
  readonly objectId: number;
  /** The id it has unless the client's answer to Discover asks for another one ({@link Placement}). */
  readonly id: number;
  /** Whether the profile says that id. */
  readonly fixed: boolean;
  /** Where the profile says it, for errors: `servers[0]` or `objects`. */
  readonly origin: string;
}

/** An Object Instance a profile writes. */
export interface InstanceTemplate extends InstancePlace {
  readonly resources: readonly ResourceTemplate[];
}

export type ResourceTemplate =
  | { readonly kind: "single"; readonly id: number; readonly value: ValueTemplate }
  | { readonly kind: "multiple"; readonly id: number; readonly values: readonly (readonly [number, ValueTemplate])[] };

/** The path of an instance for people; `x` stands for an id that is chosen for each client. */
export function placeText(objectId: number, id: number, fixed: boolean): string {
  return `/${objectId}/${fixed ? id : "x"}`;
}

/** Collects problems while templates are made. */
export class TemplateMaker {
  readonly problems: string[] = [];
  readonly #definitions: ObjectDefinitions;

  constructor(definitions: ObjectDefinitions) {
    this.#definitions = definitions;
  }

  /** An instance of settings and, where a mode of security has its own way to read them, of templates in the making. */
  instance(
    place: InstancePlace,
    settings: ResourceSettings,
    made: readonly (readonly [number, MakeTemplate])[] = [],
  ): InstanceTemplate {
    const { objectId, id, fixed, origin } = place;
    const path = placeText(objectId, id, fixed);
    const resources = Object.entries(settings).flatMap(([resourceId, setting]) =>
      this.resource(objectId, Number(resourceId), setting, path, origin),
    );
    for (const [resourceId, make] of made) {
      const where = this.#where(objectId, resourceId, path);
      const value = this.attempt(origin, where, () => make(`${origin}: ${where}`));
      if (value !== undefined) resources.push({ kind: "single", id: resourceId, value });
    }
    resources.sort((a, b) => a.id - b.id);
    return { ...place, resources };
  }

  /** One resource; none when its setting has a problem. */
  resource(objectId: number, id: number, setting: ResourceSetting, path: string, origin: string): ResourceTemplate[] {
    const where = this.#where(objectId, id, path);
    const definition = this.#definitions.get(objectId)?.resources.get(id);
    const template = this.attempt(origin, where, () => resourceTemplate(id, setting, definition, `${origin}: ${where}`));
    return template === undefined ? [] : [template];
  }

  attempt<T>(origin: string, where: string, make: () => T): T | undefined {
    try {
      return make();
    } catch (error) {
      if (!(error instanceof InvalidInput)) throw error;
      this.problems.push(`${origin}: ${where}: ${error.message}`);
      return undefined;
    }
  }

  #where(objectId: number, id: number, path: string): string {
    const definition = this.#definitions.get(objectId)?.resources.get(id);
    return `${path}/${id}${definition === undefined ? "" : ` ${definition.name}`}`;
  }
}

function resourceTemplate(
  id: number,
  setting: ResourceSetting,
  definition: ResourceDefinition | undefined,
  where: string,
): ResourceTemplate {
  if (definition !== undefined && definition.type === undefined) throw new InvalidInput("can only be executed");
  if (!isByInstance(setting)) {
    if (definition?.multiple === true) throw new InvalidInput("has several values; write them as { 0: value, 1: value }");
    return { kind: "single", id, value: valueTemplate(setting as ValueSetting, definition, where) };
  }
  if (definition?.multiple === false) throw new InvalidInput("has one value only");
  const values = Object.entries(setting).map(([instanceId, value]): readonly [number, ValueTemplate] => {
    if (!isValidId(Number(instanceId), 3)) throw new InvalidInput("a resource instance id is 0 to 65535");
    return [Number(instanceId), valueTemplate(value, definition, `${where}/${instanceId}`)];
  });
  return { kind: "multiple", id, values };
}

/** Whether a setting has values by resource instance id. */
export function isByInstance(setting: ResourceSetting): setting is Readonly<Record<string, ValueSetting>> {
  return typeof setting === "object" && Object.keys(setting).every((key) => /^\d{1,5}$/.test(key));
}

/** All values of a resource. */
export function valuesOf(resource: ResourceTemplate): readonly ValueTemplate[] {
  return resource.kind === "single" ? [resource.value] : resource.values.map(([, value]) => value);
}

/** Whether no value waits for the device. */
export function isStatic(resources: readonly ResourceTemplate[]): boolean {
  return resources.every((resource) => valuesOf(resource).every((value) => "known" in value));
}

/** A value of an instance, if it does not depend on the device. */
function knownInteger(template: InstanceTemplate, resourceId: number): number | undefined {
  const resource = template.resources.find(({ id }) => id === resourceId);
  if (resource?.kind !== "single" || !("known" in resource.value)) return undefined;
  const { value } = resource.value.known;
  return typeof value === "number" ? value : undefined;
}

/** Whether it is the way to a bootstrap server: /0/x/1 is true. */
export function isAccount(template: InstanceTemplate): boolean {
  const resource = template.objectId === 0 ? template.resources.find(({ id }) => id === 1) : undefined;
  return resource?.kind === "single" && "known" in resource.value && resource.value.known.value === true;
}

/** The short server id that links instances of /0 and /1, as far as it is known; a bootstrap account has none. */
export function shortServerIdOf(template: InstanceTemplate): number | undefined {
  if (template.objectId === 1) return knownInteger(template, 0);
  return template.objectId === 0 && !isAccount(template) ? knownInteger(template, 10) : undefined;
}

/**
 * The instance, or as much of it as `resources` are, for one device.
 * @throws ProfileMismatch
 */
export function fillInstance(
  template: InstanceTemplate,
  facts: Facts,
  placement: Placement,
  resources: readonly ResourceTemplate[] = template.resources,
): ObjectInstance {
  const fill = (template: ValueTemplate): ResourceValue => {
    const value = "known" in template ? template.known : template.fill(facts);
    if (value.type !== "objlnk") return value;
    const { objectId, instanceId } = value.value;
    return { type: "objlnk", value: { objectId, instanceId: placement.idOf(objectId, instanceId) } };
  };
  const filled = new Map<number, Resource>();
  for (const resource of resources) {
    const { id } = resource;
    if (resource.kind === "single") filled.set(id, { kind: "single", id, value: fill(resource.value) });
    else filled.set(id, { kind: "multiple", id, instances: new Map(resource.values.map(([at, value]) => [at, fill(value)])) });
  }
  return { objectId: template.objectId, id: placement.idOf(template.objectId, template.id), resources: filled };
}
