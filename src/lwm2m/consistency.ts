import { type ObjectInstance, type ObjectLink, resourceValue } from "./node.ts";
import { BERTH_OBJECT, BERTH_RESOURCES, CORE_OBJECTS } from "./objects.ts";
import { MAX_ID } from "./path.ts";
import { SECURITY_MODE } from "./security-mode.ts";

/**
 * What keeps a client from working with the objects it has at Bootstrap-Finish, one line each and none when it is
 * consistent (else the answer is 4.06): LwM2M Core 1.1, Bootstrap-Finish. Needed are at least one LwM2M
 * Server Account (an instance of /1 and one of /0 with its short server id), one bootstrap account and no second,
 * the mandatory resources of the core objects, key material that fits the security mode, and something at the end of
 * every link. Values never show, so a server may tell them as well as a client.
 */
export function findInconsistencies(instances: Iterable<ObjectInstance>): string[] {
  const all = [...instances];
  const paths = new Set(all.map(name));
  const problems = all.flatMap((instance) => [
    ...missingResources(instance),
    ...tooMany(instance),
    ...credentialProblems(instance),
    ...linkProblems(instance, paths),
  ]);
  return [...problems, ...accountProblems(all)];
}

/** How the instances of /0 and /1 belong together. */
function accountProblems(all: readonly ObjectInstance[]): string[] {
  const problems: string[] = [];
  const security = all.filter((instance) => instance.objectId === 0);
  const bootstrapAccounts = security.filter((instance) => resourceValue(instance, 1, "boolean") === true);
  if (bootstrapAccounts.length !== 1) problems.push(`there are ${bootstrapAccounts.length} bootstrap accounts, not one`);
  const withSecurity = new Set<unknown>();
  for (const instance of security) {
    if (bootstrapAccounts.includes(instance)) continue;
    const ssid = resourceValue(instance, 10, "integer");
    if (ssid === undefined) problems.push(`${name(instance)} has no short server id`);
    else if (isReserved(ssid)) problems.push(`${name(instance)} has the short server id ${ssid}, which is none`);
    else if (withSecurity.has(ssid)) problems.push(`${name(instance)} has the short server id ${ssid} of another instance`);
    withSecurity.add(ssid);
  }
  let accounts = 0;
  const servers = new Set<unknown>();
  for (const instance of all.filter(({ objectId }) => objectId === 1)) {
    const ssid = resourceValue(instance, 0, "integer");
    if (ssid === undefined) continue;
    if (servers.has(ssid)) problems.push(`${name(instance)} has the short server id ${ssid} of another instance`);
    servers.add(ssid);
    if (!withSecurity.has(ssid)) problems.push(`${name(instance)} has the short server id ${ssid}, which no instance of /0 has`);
    else if (!isReserved(ssid)) accounts += 1;
  }
  if (accounts === 0) problems.push("there is no LwM2M server account");
  return problems;
}

/** Short server ids go from 1 to 65534. */
function isReserved(ssid: number | bigint): boolean {
  return ssid < 1 || ssid > 65534;
}

function name(instance: ObjectInstance): string {
  return `/${instance.objectId}/${instance.id}`;
}

/** Key material (Public Key or Identity, Server Public Key, Secret Key) may be missing where the mode has no use for it. */
const KEY_MATERIAL: readonly number[] = [3, 4, 5];

function missingResources(instance: ObjectInstance): string[] {
  const definition = CORE_OBJECTS.get(instance.objectId);
  if (definition === undefined) return [];
  return [...definition.resources.values()]
    .filter((resource) => resource.mandatory && resource.type !== undefined && !instance.resources.has(resource.id))
    .filter((resource) => instance.objectId !== 0 || !KEY_MATERIAL.includes(resource.id))
    .map((resource) => `${name(instance)}/${resource.id} ${resource.name} is missing`);
}

function tooMany(instance: ObjectInstance): string[] {
  const definition = CORE_OBJECTS.get(instance.objectId);
  if (definition?.multiple !== false || instance.id === 0) return [];
  return [`${name(instance)}: ${definition.name} has one instance, with the id 0`];
}

/** Links, and the Object whose Instance each leads to (LwM2M Core 1.2, appendix E). */
const LINKS: readonly (readonly [objectId: number, resourceId: number, target: number])[] = [
  [0, 17, 21],
  [0, 26, 24],
  [0, 27, 23],
  [BERTH_OBJECT, BERTH_RESOURCES.securityInstance, 0],
];

function linkProblems(instance: ObjectInstance, paths: ReadonlySet<string>): string[] {
  return LINKS.flatMap(([objectId, resourceId, target]) => {
    const resource = instance.objectId === objectId ? instance.resources.get(resourceId) : undefined;
    if (resource === undefined) return [];
    const values = resource.kind === "single" ? [resource.value] : [...resource.instances.values()];
    return values.flatMap((value) => {
      if (value.type !== "objlnk" || isNowhere(value.value)) return [];
      const path = `/${value.value.objectId}/${value.value.instanceId}`;
      if (value.value.objectId === target && paths.has(path)) return [];
      const what = CORE_OBJECTS.get(objectId)?.resources.get(resourceId)?.name;
      const why = value.value.objectId === target ? "is not there" : `is no instance of /${target}`;
      return [`${name(instance)}/${resourceId} ${what} links ${path}, which ${why}`];
    });
  });
}

function isNowhere({ objectId, instanceId }: ObjectLink): boolean {
  return objectId === MAX_ID && instanceId === MAX_ID;
}

/** The resources of key material each security mode cannot do without (LwM2M Transport 1.1, security modes). */
export const NEEDED_KEY_MATERIAL: Readonly<Record<number, readonly number[]>> = {
  [SECURITY_MODE.psk]: [3, 5],
  [SECURITY_MODE.rpk]: [3, 4, 5],
  [SECURITY_MODE.x509]: [3, 4, 5],
  [SECURITY_MODE.est]: [4],
};

function credentialProblems(instance: ObjectInstance): string[] {
  if (instance.objectId !== 0) return [];
  const problems: string[] = [];
  const mode = Number(resourceValue(instance, 2, "integer"));
  const uri = resourceValue(instance, 0, "string");
  if (uri !== undefined && !/^coaps?(\+tcp|\+ws)?:\/\/[^/]/.test(uri))
    problems.push(`${name(instance)} has a URI that is not CoAP`);
  else if (uri?.startsWith("coaps") === true && mode === SECURITY_MODE.nosec)
    problems.push(`${name(instance)} has a coaps URI and mode NoSec`);
  else if (uri?.startsWith("coaps") === false && NEEDED_KEY_MATERIAL[mode] !== undefined)
    problems.push(`${name(instance)} has a coap URI and a mode with keys`);
  for (const id of NEEDED_KEY_MATERIAL[mode] ?? []) {
    const material = resourceValue(instance, id, "opaque");
    if (material === undefined || material.length === 0) {
      problems.push(
        `${name(instance)}/${id} ${CORE_OBJECTS.get(0)?.resources.get(id)?.name} is empty, which its security mode needs`,
      );
    }
  }
  return problems;
}
