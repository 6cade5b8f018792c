import { errorText } from "../lib/errors.ts";
import {
  BERTH_OBJECT,
  BERTH_RESOURCES,
  type ObjectInstance,
  objectInstance,
  type Resource,
  resourceValue,
  single,
} from "../lwm2m/index.ts";
import { parseRecipe, type Recipe } from "../naming/index.ts";
import { NoBootstrapAccount } from "./credential.ts";
import type { ObjectTree } from "./tree.ts";

/** How the names of a device are made, as its Berth object says (D5). */
export interface BerthSettings {
  readonly recipe: Recipe;
  /** What names are made of; absent: the key of the bootstrap account. */
  readonly secret?: Uint8Array;
  /** The lowest counter not used yet. */
  readonly counter?: number;
}

/** The Berth object that says this, for whichever bootstrap account the device has. */
export function berthObject({ recipe, secret, counter }: BerthSettings): ObjectInstance {
  const resources: Resource[] = [single(BERTH_RESOURCES.recipe, { type: "string", value: JSON.stringify(recipe) })];
  if (secret !== undefined) resources.push(single(BERTH_RESOURCES.nameSecret, { type: "opaque", value: secret }));
  if (counter !== undefined) resources.push(counterResource(counter));
  return objectInstance(BERTH_OBJECT, 0, resources);
}

/**
 * What the Berth object of a tree says; undefined where there is none.
 * @throws NoBootstrapAccount when its recipe cannot be read, or it belongs to another account than `accountId`
 */
export function berthSettings(tree: ObjectTree, accountId: number): BerthSettings | undefined {
  const [instance] = tree.instances(BERTH_OBJECT);
  if (instance === undefined) return undefined;
  const at = `/${BERTH_OBJECT}/${instance.id}`;
  const linked = linkedAccount(instance);
  if (linked !== undefined && linked !== accountId)
    throw new NoBootstrapAccount(
      `${at}/${BERTH_RESOURCES.securityInstance}: /0/${linked} is not the bootstrap account, /0/${accountId} is`,
    );
  const text = resourceValue(instance, BERTH_RESOURCES.recipe, "string");
  if (text === undefined) throw new NoBootstrapAccount(`${at}/${BERTH_RESOURCES.recipe}: the recipe is missing`);
  const secret = resourceValue(instance, BERTH_RESOURCES.nameSecret, "opaque");
  const counter = resourceValue(instance, BERTH_RESOURCES.counter, "unsigned");
  return {
    recipe: readRecipe(text, `${at}/${BERTH_RESOURCES.recipe}`),
    ...(secret === undefined || secret.length === 0 ? {} : { secret }),
    ...(counter === undefined ? {} : { counter: Number(counter) }),
  };
}

function readRecipe(text: string, where: string): Recipe {
  let input: unknown;
  try {
    input = JSON.parse(text);
  } catch {
    throw new NoBootstrapAccount(`${where}: the recipe is no JSON`);
  }
  try {
    return parseRecipe(input, where);
  } catch (error) {
    throw new NoBootstrapAccount(errorText(error));
  }
}

/** The instance of the Security object a Berth object belongs to; undefined: whichever is the bootstrap account. */
export function linkedAccount(instance: ObjectInstance): number | undefined {
  const link = resourceValue(instance, BERTH_RESOURCES.securityInstance, "objlnk");
  return link?.objectId === 0 ? link.instanceId : undefined;
}

/**
 * The tree after a bootstrap that used up the counters below `next`: the Berth object goes on from there, unless this
 * bootstrap itself has written another counter into it.
 * @param before what the device held when the bootstrap began
 */
export function withCounter(tree: ObjectTree, before: ObjectTree, next: number): ObjectTree {
  const [instance] = tree.instances(BERTH_OBJECT);
  if (instance === undefined) return tree;
  const counter = instance.resources.get(BERTH_RESOURCES.counter);
  const old = before.get(BERTH_OBJECT, instance.id)?.resources.get(BERTH_RESOURCES.counter);
  if (counter !== undefined && counter !== old) return tree;
  return tree.with(objectInstance(BERTH_OBJECT, instance.id, [...instance.resources.values(), counterResource(next)]));
}

function counterResource(value: number): Resource {
  return single(BERTH_RESOURCES.counter, { type: "unsigned", value });
}
