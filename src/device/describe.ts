import { formatPath, type ObjectInstance, type ResourceValue } from "../lwm2m/index.ts";
import { COSE_OBJECT, SECURITY_OBJECT } from "./objects.ts";
import type { ObjectTree } from "./tree.ts";

/** PSK identities are no secret and tell accounts apart. */
const IDENTITY = 3;
/** Of the COSE object: a key that is a string. */
const COSE_KEY = 2;

/**
 * A tree for people and scripts: resource path to value. Opaque values are shown by their length only, as most of
 * them are keys, and so is the one key that is a string; a PSK identity that is plain text is shown.
 */
export function describeTree(tree: ObjectTree): Record<string, string | number | boolean> {
  const lines: Record<string, string | number | boolean> = {};
  for (const instance of tree.instances()) {
    for (const resource of [...instance.resources.values()].sort((a, b) => a.id - b.id)) {
      const path = [instance.objectId, instance.id, resource.id];
      if (resource.kind === "single") lines[formatPath(path)] = describeValue(instance, resource.id, resource.value);
      else
        for (const [id, value] of resource.instances)
          lines[formatPath([...path, id])] = describeValue(instance, resource.id, value);
    }
  }
  return lines;
}

function describeValue(instance: ObjectInstance, resourceId: number, { type, value }: ResourceValue): string | number | boolean {
  switch (type) {
    case "opaque": {
      const text = Buffer.from(value).toString("utf8");
      if (instance.objectId === SECURITY_OBJECT && resourceId === IDENTITY && /^[\x21-\x7e]+$/.test(text)) return text;
      return `(${value.length} bytes)`;
    }
    case "string":
      return instance.objectId === COSE_OBJECT && resourceId === COSE_KEY ? `(${value.length} characters)` : value;
    case "objlnk":
      return `${value.objectId}:${value.instanceId}`;
    default:
      return typeof value === "bigint" ? value.toString() : value;
  }
}
