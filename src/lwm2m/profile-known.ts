import { type ObjectInstance, objectInstance, type Resource, single } from "./node.ts";
import type { ProfileContent } from "./profile-content.ts";
import { type InstanceTemplate, isAccount, placeText } from "./profile-instances.ts";

/** An instance a profile writes, as far as it is the same for all devices. */
export interface KnownInstance {
  /** For people; `/0/x` where the id depends on the client. */
  readonly path: string;
  readonly origin: string;
  /** The values that do not depend on the device. */
  readonly instance: ObjectInstance;
  /** The resources it has, of any value. */
  readonly ids: ReadonlySet<number>;
  readonly isAccount: boolean;
}

/** The instances a profile writes; resources that are written by themselves are not among them. */
export function knownInstances({ writes }: ProfileContent): KnownInstance[] {
  return writes.filter(({ level }) => level !== "resource").flatMap(({ instances }) => instances.map(toKnown));
}

function toKnown(template: InstanceTemplate): KnownInstance {
  const known: Resource[] = [];
  for (const resource of template.resources) {
    if (resource.kind === "single" && "known" in resource.value) known.push(single(resource.id, resource.value.known));
  }
  return {
    path: placeText(template.objectId, template.id, template.fixed),
    origin: template.origin,
    instance: objectInstance(template.objectId, template.id, known),
    ids: new Set(template.resources.map((resource) => resource.id)),
    isAccount: isAccount(template),
  };
}
