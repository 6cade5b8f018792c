import {
  type DiscoverAnswer,
  type DiscoverEntry,
  type ObjectDefinitions,
  type ObjectInstance,
  resourceValue,
} from "../lwm2m/index.ts";
import { accountInstances, isBootstrapAccount } from "./account.ts";
import { OSCORE_OBJECT, SECURITY_OBJECT, SERVER_OBJECT, Security, Server } from "./objects.ts";
import type { LwM2mVersion } from "./operations.ts";
import type { ObjectTree } from "./tree.ts";

/** Objects below this id are OMA's core; LwM2M's own version says theirs. */
const FIRST_OTHER_OBJECT = 32;

/**
 * What a device says of itself at Bootstrap-Discover. 1.0 names objects and instances only. From 1.1 on the instances of
 * /0, /1 and /21 carry their short server id, but for the bootstrap account, which is known by having none; and those of
 * /0 the URI of their server, since 1.2 the bootstrap account too.
 */
export function discoverAnswer(
  tree: ObjectTree,
  objectIds: readonly number[],
  version: LwM2mVersion,
  objects: ObjectDefinitions,
): DiscoverAnswer {
  const entries: DiscoverEntry[] = [];
  const oscore = oscoreServers(tree);
  for (const id of objectIds) {
    const instances = tree.instances(id);
    const ver = objects.get(id)?.version ?? "1.0";
    const told = version !== "1.0" && id >= FIRST_OTHER_OBJECT && ver !== "1.0";
    if (told || version === "1.0" || instances.length === 0) entries.push({ path: [id], ...(told ? { ver } : {}) });
    for (const instance of instances) {
      const path = [id, instance.id];
      entries.push(version === "1.0" ? { path } : { path, ...attributes(instance, version, oscore) });
    }
  }
  return { lwm2m: version, entries };
}

function attributes(
  instance: ObjectInstance,
  version: LwM2mVersion,
  oscore: ReadonlyMap<ObjectInstance, number>,
): Pick<DiscoverEntry, "ssid" | "uri"> {
  const bootstrap = isBootstrapAccount(instance);
  const ssid = bootstrap ? undefined : shortServerId(instance, oscore);
  const tellsUri = instance.objectId === SECURITY_OBJECT && (!bootstrap || version === "1.2");
  const uri = tellsUri ? resourceValue(instance, Security.uri, "string") : undefined;
  return { ...(ssid === undefined ? {} : { ssid }), ...(uri === undefined ? {} : { uri }) };
}

function shortServerId(instance: ObjectInstance, oscore: ReadonlyMap<ObjectInstance, number>): number | undefined {
  switch (instance.objectId) {
    case SECURITY_OBJECT:
      return numberAt(instance, Security.shortServerId);
    case SERVER_OBJECT:
      return numberAt(instance, Server.shortServerId);
    default:
      return oscore.get(instance);
  }
}

/** The OSCORE instances that servers' accounts link to, and their short server ids. */
function oscoreServers(tree: ObjectTree): Map<ObjectInstance, number> {
  const servers = new Map<ObjectInstance, number>();
  for (const security of tree.instances(SECURITY_OBJECT)) {
    const ssid = numberAt(security, Security.shortServerId);
    if (ssid === undefined || isBootstrapAccount(security)) continue;
    for (const linked of accountInstances(tree, security)) if (linked.objectId === OSCORE_OBJECT) servers.set(linked, ssid);
  }
  return servers;
}

function numberAt(instance: ObjectInstance, resourceId: number): number | undefined {
  const value = resourceValue(instance, resourceId, "integer");
  return value === undefined ? undefined : Number(value);
}
