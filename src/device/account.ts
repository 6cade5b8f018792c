import type { Seconds } from "../lib/clock.ts";
import { BERTH_OBJECT, type ObjectInstance, type ObjectLink, resourceValue } from "../lwm2m/index.ts";
import { linkedAccount } from "./berth-object.ts";
import { type Credential, credentialOf, NoBootstrapAccount } from "./credential.ts";
import { COSE_OBJECT, MQTT_OBJECT, OSCORE_OBJECT, SECURITY_OBJECT, SERVER_OBJECT, Security, Server } from "./objects.ts";
import type { ObjectTree } from "./tree.ts";

/** The device's account at its bootstrap server: an instance of the Security object. */
export interface BootstrapAccount {
  readonly instanceId: number;
  /** The static bootstrap URI. */
  readonly uri: string;
  readonly credential: Credential;
  /** Goes before the URI's host as TLS server name. */
  readonly sni?: string;
  /** Client Hold Off Time: the wait before the first request. */
  readonly holdOff: Seconds;
  /** Bootstrap-Server Account Timeout: how long after a bootstrap the account is kept; 0 is for ever. */
  readonly timeout: Seconds;
}

/** 136 years: beyond that a date is none that everybody can write. */
const MAX_TIMEOUT: Seconds = 2 ** 32;

/** Whether an instance of the Security object is a bootstrap account. */
export function isBootstrapAccount(instance: ObjectInstance): boolean {
  return instance.objectId === SECURITY_OBJECT && resourceValue(instance, Security.bootstrap, "boolean") === true;
}

/** The bootstrap accounts of a tree: one, or in the middle of a bootstrap that replaces it the old one and the new. */
export function bootstrapAccounts(tree: ObjectTree): ObjectInstance[] {
  return tree.instances(SECURITY_OBJECT).filter(isBootstrapAccount);
}

/**
 * The bootstrap account of a tree.
 * @throws NoBootstrapAccount when there is none, or it lacks its URI, or its credential cannot be used
 */
export function bootstrapAccount(tree: ObjectTree): BootstrapAccount {
  const [instance] = bootstrapAccounts(tree);
  if (instance === undefined) throw new NoBootstrapAccount("no instance of the Security object /0 is a bootstrap account");
  const uri = resourceValue(instance, Security.uri, "string");
  if (uri === undefined) throw new NoBootstrapAccount(`/0/${instance.id}/0: the bootstrap account has no URI`);
  if (linksOf(instance).some(({ objectId }) => objectId === OSCORE_OBJECT)) {
    // Without OSCORE the request would go out in the clear.
    throw new NoBootstrapAccount(`/0/${instance.id}/17: OSCORE is not supported for the bootstrap account`);
  }
  const sni = resourceValue(instance, Security.sni, "string");
  return {
    instanceId: instance.id,
    uri,
    credential: credentialOf(instance),
    ...(sni === undefined || sni === "" ? {} : { sni }),
    holdOff: Math.max(0, Number(resourceValue(instance, Security.holdOff, "integer") ?? 0)),
    timeout: Math.min(MAX_TIMEOUT, Math.max(0, Number(resourceValue(instance, Security.accountTimeout, "integer") ?? 0))),
  };
}

/**
 * The instances that make up the account of an instance of the Security object: that instance, and the OSCORE, COSE and
 * MQTT instances it links to (LwM2M Core 1.2, section 6.1.7.5).
 */
export function accountInstances(tree: ObjectTree, account: ObjectInstance): ObjectInstance[] {
  const linked = linksOf(account).map(({ objectId, instanceId }) => tree.get(objectId, instanceId));
  return [account, ...linked.filter((instance) => instance !== undefined)];
}

/** The tree without an account: what other accounts link to as well stays, the Berth object that belongs to it goes. */
export function withoutAccount(tree: ObjectTree, account: ObjectInstance): ObjectTree {
  const others = tree.instances(SECURITY_OBJECT).filter((instance) => instance !== account);
  const needed = new Set(others.flatMap((other) => accountInstances(tree, other)));
  const gone = new Set(accountInstances(tree, account).filter((instance) => !needed.has(instance)));
  return tree.filter(
    (instance) => !gone.has(instance) && !(instance.objectId === BERTH_OBJECT && linkedAccount(instance) === account.id),
  );
}

/** The tree after the bootstrap account's time is over (/0/x/12). */
export function withoutBootstrapAccount(tree: ObjectTree): ObjectTree {
  return bootstrapAccounts(tree).reduce(withoutAccount, tree);
}

/** Whether the tree has an LwM2M server to work with: a Server account and the Security instance that goes with it. */
export function isConfigured(tree: ObjectTree): boolean {
  const secured = tree.instances(SECURITY_OBJECT).filter((instance) => !isBootstrapAccount(instance));
  const known = new Set(secured.map((instance) => resourceValue(instance, Security.shortServerId, "integer")));
  return tree.instances(SERVER_OBJECT).some((server) => {
    const id = resourceValue(server, Server.shortServerId, "integer");
    return id !== undefined && known.has(id);
  });
}

const LINKS: readonly (readonly [resource: number, object: number])[] = [
  [Security.oscore, OSCORE_OBJECT],
  [Security.mqtt, MQTT_OBJECT],
  [Security.cose, COSE_OBJECT],
];

/** Where an instance of the Security object links to; a link to another object than the resource is for says nothing. */
function linksOf(instance: ObjectInstance): ObjectLink[] {
  return LINKS.flatMap(([id, objectId]) => {
    const resource = instance.resources.get(id);
    if (resource === undefined) return [];
    const values = resource.kind === "single" ? [resource.value] : [...resource.instances.values()];
    return values.flatMap(({ type, value }) => (type === "objlnk" && value.objectId === objectId ? [value] : []));
  });
}
