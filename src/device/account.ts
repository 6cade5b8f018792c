import { utf8 } from "../lib/bytes.ts";
import type { Seconds } from "../lib/clock.ts";
import { BerthError } from "../lib/errors.ts";
import { multiple, type ObjectInstance, objectInstance, type Resource, resourceValue, single } from "../lwm2m/index.ts";
import { DEVICE_OBJECT, SECURITY_OBJECT } from "./objects.ts";
import { ObjectTree } from "./tree.ts";

/** The tree holds no bootstrap account that can be used. Code `no-bootstrap-account`. */
export class NoBootstrapAccount extends BerthError {
  constructor(message: string) {
    super("no-bootstrap-account", message);
  }
}

/** Resources of the Security object (OMA lwm2m-registry, 0.xml). */
const Security = { uri: 0, bootstrap: 1, mode: 2, identity: 3, serverKey: 4, secretKey: 5, holdOff: 11, sni: 14 } as const;
/** Values of its Security Mode. */
const SecurityMode = { psk: 0, noSec: 3 } as const;

/** How the device proves who it is to the bootstrap server, and the server to it. */
export type Credential =
  | { readonly mode: "psk"; readonly identity: Uint8Array; readonly key: Uint8Array }
  | { readonly mode: "nosec" };

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
}

/** What the factory writes into a device. */
export interface FactorySettings {
  /** The static bootstrap URI; `coap:` is without security, `coaps:` with the pre-shared key. */
  readonly uri: string;
  /** PSK identity and key; for `coaps:`. */
  readonly identity?: string | Uint8Array;
  readonly psk?: Uint8Array;
}

/** The object tree of a device as it leaves the factory: the bootstrap account /0/0 and the Device object. */
export function factoryTree(settings: FactorySettings): ObjectTree {
  const { uri, identity = "", psk = new Uint8Array() } = settings;
  const mode = uri.toLowerCase().startsWith("coap:") ? SecurityMode.noSec : SecurityMode.psk;
  const opaque = (id: number, value: Uint8Array): Resource => single(id, { type: "opaque", value });
  return new ObjectTree([
    objectInstance(SECURITY_OBJECT, 0, [
      single(Security.uri, { type: "string", value: uri }),
      single(Security.bootstrap, { type: "boolean", value: true }),
      single(Security.mode, { type: "integer", value: mode }),
      opaque(Security.identity, typeof identity === "string" ? utf8(identity) : identity),
      opaque(Security.serverKey, new Uint8Array()),
      opaque(Security.secretKey, psk),
    ]),
    objectInstance(DEVICE_OBJECT, 0, [
      single(0, { type: "string", value: "Berth" }),
      single(1, { type: "string", value: "simulated device" }),
      multiple(11, [[0, { type: "integer", value: 0 }]]),
      single(16, { type: "string", value: "U" }),
    ]),
  ]);
}

/** Whether an instance of the Security object is a bootstrap account. */
export function isBootstrapAccount(instance: ObjectInstance): boolean {
  return instance.objectId === SECURITY_OBJECT && resourceValue(instance, Security.bootstrap, "boolean") === true;
}

/**
 * The bootstrap account of a tree.
 * @throws NoBootstrapAccount when there is none, or it lacks its URI or key
 */
export function bootstrapAccount(tree: ObjectTree): BootstrapAccount {
  const instance = tree.instances(SECURITY_OBJECT).find(isBootstrapAccount);
  if (instance === undefined) throw new NoBootstrapAccount("no instance of the Security object /0 is a bootstrap account");
  const uri = resourceValue(instance, Security.uri, "string");
  if (uri === undefined) throw new NoBootstrapAccount(`/0/${instance.id}/0: the bootstrap account has no URI`);
  const sni = resourceValue(instance, Security.sni, "string");
  return {
    instanceId: instance.id,
    uri,
    credential: credentialOf(instance),
    ...(sni === undefined || sni === "" ? {} : { sni }),
    holdOff: Math.max(0, Number(resourceValue(instance, Security.holdOff, "integer") ?? 0)),
  };
}

function credentialOf(instance: ObjectInstance): Credential {
  const mode = resourceValue(instance, Security.mode, "integer");
  if (mode === SecurityMode.noSec) return { mode: "nosec" };
  if (mode !== SecurityMode.psk) {
    throw new NoBootstrapAccount(`/0/${instance.id}/2: security mode ${mode} is not supported; 0 (PSK) and 3 (NoSec) are`);
  }
  const identity = resourceValue(instance, Security.identity, "opaque");
  const key = resourceValue(instance, Security.secretKey, "opaque");
  if (identity === undefined || identity.length === 0 || key === undefined || key.length === 0) {
    throw new NoBootstrapAccount(`/0/${instance.id}: a bootstrap account with PSK needs its identity (/3) and key (/5)`);
  }
  return { mode: "psk", identity, key };
}
