import type { ReceivedResponse } from "../coap/index.ts";
import { BerthError } from "../lib/errors.ts";
import { decodeContent, formatPath, isPackFormat } from "../lwm2m/index.ts";
import { accountInstances, bootstrapAccounts } from "./account.ts";
import { settle } from "./finish.ts";
import { DEVICE_OBJECTS } from "./objects.ts";
import { keptInstances, MAX_INSTANCES, type OperationContext, onlyKnown } from "./operations.ts";
import type { ObjectTree } from "./tree.ts";

/**
 * What a device holds after a Bootstrap-Pack (LwM2M Core 1.2, section 6.1.7.7): of every object the Pack has, all
 * instances are replaced but for the bootstrap account, with what it links to, and /3/0; other objects stay as they are.
 * Or what is wrong with the Pack, one line each.
 */
export function applyPack(
  tree: ObjectTree,
  { contentFormat, payload }: Pick<ReceivedResponse, "contentFormat" | "payload">,
  context: OperationContext,
): { readonly tree: ObjectTree } | { readonly problems: readonly string[] } {
  const { objects = DEVICE_OBJECTS } = context;
  if (contentFormat === undefined || !isPackFormat(contentFormat))
    return { problems: [`content format ${contentFormat} is none of a Pack`] };
  try {
    const written = decodeContent(contentFormat, [], payload, objects).map((instance) => onlyKnown(instance, objects));
    const replaced = new Set(written.map(({ objectId }) => objectId));
    const kept = keptInstances(tree);
    const after = tree.filter((instance) => !replaced.has(instance.objectId) || kept.has(instance)).with(...written);
    const problems: string[] = [];
    for (const id of replaced) {
      const object = objects.get(id);
      const instances = after.instances(id);
      if (object === undefined) problems.push(`the device has no object /${id}`);
      else if (!object.multiple && instances.some((instance) => instance.id !== 0))
        problems.push(`/${id} has one instance, with the id 0`);
      if (instances.length > MAX_INSTANCES) problems.push(`/${id} has ${instances.length} instances, too many`);
    }
    return problems.length > 0 ? { problems } : settle(after, context);
  } catch (error) {
    if (!(error instanceof BerthError)) throw error;
    return { problems: [error.message] };
  }
}

/** The bootstrap account as a Pack-Request names it (`acc`, LwM2M Core 1.2.1): links to all it is made of. */
export function accountLinks(tree: ObjectTree): string {
  const instances = bootstrapAccounts(tree).flatMap((account) => accountInstances(tree, account));
  return instances.map(({ objectId, id }) => `<${formatPath([objectId, id])}>`).join(",");
}
