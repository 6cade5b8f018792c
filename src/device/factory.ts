import { createPrivateKey, createPublicKey, type KeyObject } from "node:crypto";
import { utf8 } from "../lib/bytes.ts";
import { errorText, InvalidInput } from "../lib/errors.ts";
import { multiple, type ObjectInstance, objectInstance, type Resource, SECURITY_MODE, single } from "../lwm2m/index.ts";
import type { Recipe } from "../naming/index.ts";
import { bootstrapAccount } from "./account.ts";
import { berthObject } from "./berth-object.ts";
import { CertificateUsage } from "./credential.ts";
import { DEVICE_OBJECT, SECURITY_OBJECT, Security } from "./objects.ts";
import { ObjectTree } from "./tree.ts";

/** A key or certificate: PEM text, or DER (PKCS #8 of private keys, SubjectPublicKeyInfo of public ones). */
export type KeyMaterial = string | Uint8Array;

/** What the factory writes into a device. */
export interface FactorySettings {
  /** The static bootstrap URI; `coap:` is without security, `coaps:` needs one of the three credentials. */
  readonly uri: string;
  /** PSK identity and key. */
  readonly identity?: string | Uint8Array;
  readonly psk?: Uint8Array;
  readonly x509?: {
    /** The device's own; in PEM the certificates that lead to its CA may follow. */
    readonly certificate: KeyMaterial;
    readonly key: KeyMaterial;
    /** Exactly one of the two: the certificate the server shows, or that of its CA. */
    readonly serverCertificate?: KeyMaterial;
    readonly ca?: KeyMaterial;
  };
  /** Raw public key; the device's public key is made of its private one. */
  readonly rpk?: { readonly key: KeyMaterial; readonly serverPublicKey: KeyMaterial };
  /** How its names are made, and what of: goes into its Berth object. */
  readonly recipe?: Recipe;
  /** With a recipe: what names are made of, if it is not the key. */
  readonly secret?: Uint8Array;
  /** With a recipe that counts: the lowest counter not used yet. */
  readonly counter?: number;
}

/**
 * The object tree of a device as it leaves the factory: the bootstrap account /0/0, the Device object, and with a recipe
 * the Berth object.
 * @throws InvalidInput where the settings contradict each other; NoBootstrapAccount where a key is missing or does not fit
 */
export function factoryTree(settings: FactorySettings): ObjectTree {
  const { recipe, secret, counter } = settings;
  const instances: ObjectInstance[] = [accountOf(settings), DEVICE];
  if (recipe !== undefined)
    instances.push(berthObject({ recipe, ...optional("secret", secret), ...optional("counter", counter) }));
  const tree = new ObjectTree(instances);
  bootstrapAccount(tree);
  return tree;
}

const DEVICE: ObjectInstance = objectInstance(DEVICE_OBJECT, 0, [
  single(0, { type: "string", value: "Berth" }),
  single(1, { type: "string", value: "simulated device" }),
  multiple(11, [[0, { type: "integer", value: 0 }]]),
  single(16, { type: "string", value: "U" }),
]);

function accountOf(settings: FactorySettings): ObjectInstance {
  const { uri } = settings;
  const { mode, own = NOTHING, server = NOTHING, secret = NOTHING, usage } = credentialResources(settings);
  const opaque = (id: number, value: Uint8Array): Resource => single(id, { type: "opaque", value });
  return objectInstance(SECURITY_OBJECT, 0, [
    single(Security.uri, { type: "string", value: uri }),
    single(Security.bootstrap, { type: "boolean", value: true }),
    single(Security.mode, { type: "integer", value: mode }),
    opaque(Security.identity, own),
    opaque(Security.serverKey, server),
    opaque(Security.secretKey, secret),
    ...(usage === undefined ? [] : [single(Security.certificateUsage, { type: "unsigned", value: usage })]),
  ]);
}

const NOTHING = new Uint8Array();

interface CredentialResources {
  readonly mode: number;
  readonly own?: Uint8Array;
  readonly server?: Uint8Array;
  readonly secret?: Uint8Array;
  readonly usage?: number;
}

function credentialResources({ uri, identity, psk, x509, rpk }: FactorySettings): CredentialResources {
  if ([psk, x509, rpk].filter((given) => given !== undefined).length > 1)
    throw new InvalidInput("give one of psk, x509 and rpk: a device has one credential");
  if (uri.toLowerCase().startsWith("coap:")) return { mode: SECURITY_MODE.nosec };
  if (rpk !== undefined) {
    const key = privateKey(rpk.key, "rpk.key");
    const server = publicKeyDer(rpk.serverPublicKey, "rpk.serverPublicKey");
    return { mode: SECURITY_MODE.rpk, own: spki(createPublicKey(key)), server, secret: pkcs8(key) };
  }
  if (x509 !== undefined) {
    const { serverCertificate, ca } = x509;
    const trusted = serverCertificate ?? ca;
    if (trusted === undefined || (serverCertificate !== undefined && ca !== undefined))
      throw new InvalidInput("x509: give serverCertificate or ca, and not both");
    return {
      mode: SECURITY_MODE.x509,
      own: bytes(Buffer.concat(certificates(x509.certificate, "x509.certificate"))),
      server: onlyCertificate(trusted, serverCertificate === undefined ? "x509.ca" : "x509.serverCertificate"),
      secret: pkcs8(privateKey(x509.key, "x509.key")),
      usage: serverCertificate === undefined ? CertificateUsage.trustAnchor : CertificateUsage.domainIssued,
    };
  }
  const own = typeof identity === "string" ? utf8(identity) : identity;
  return { mode: SECURITY_MODE.psk, ...optional("own", own), ...optional("secret", psk) };
}

function privateKey(material: KeyMaterial, what: string): KeyObject {
  try {
    if (typeof material === "string") return createPrivateKey(material);
    return createPrivateKey({ key: Buffer.from(material), format: "der", type: "pkcs8" });
  } catch (error) {
    throw new InvalidInput(`${what}: is no private key: ${errorText(error)}`);
  }
}

function publicKeyDer(material: KeyMaterial, what: string): Uint8Array {
  try {
    if (typeof material === "string") return spki(createPublicKey(material));
    return spki(createPublicKey({ key: Buffer.from(material), format: "der", type: "spki" }));
  } catch (error) {
    throw new InvalidInput(`${what}: is no public key: ${errorText(error)}`);
  }
}

function pkcs8(key: KeyObject): Uint8Array {
  return bytes(key.export({ format: "der", type: "pkcs8" }));
}

function spki(key: KeyObject): Uint8Array {
  return bytes(key.export({ format: "der", type: "spki" }));
}

/** DER of the certificates in a PEM text. */
function certificates(material: KeyMaterial, what: string): Buffer[] {
  if (typeof material !== "string") return [Buffer.from(material)];
  const found = [...material.matchAll(/-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----/g)];
  if (found.length === 0) throw new InvalidInput(`${what}: holds no certificate in PEM`);
  return found.map(([, body = ""]) => Buffer.from(body, "base64"));
}

function onlyCertificate(material: KeyMaterial, what: string): Uint8Array {
  const [only = Buffer.of(), ...more] = certificates(material, what);
  if (more.length > 0) throw new InvalidInput(`${what}: holds ${more.length + 1} certificates; a device has room for one`);
  return bytes(only);
}

function bytes(buffer: Buffer): Uint8Array {
  return new Uint8Array(buffer);
}

function optional<Key extends string, T>(key: Key, value: T | undefined): Partial<Record<Key, T>> {
  return value === undefined ? {} : ({ [key]: value } as Record<Key, T>);
}
