import { createPrivateKey, createPublicKey, type KeyObject, X509Certificate } from "node:crypto";
import { BerthError, errorText } from "../lib/errors.ts";
import { type ObjectInstance, resourceValue, SECURITY_MODE } from "../lwm2m/index.ts";
import { Security } from "./objects.ts";

/** The tree holds no bootstrap account that can be used. Code `no-bootstrap-account`. */
export class NoBootstrapAccount extends BerthError {
  constructor(message: string) {
    super("no-bootstrap-account", message);
  }
}

/** Values of Certificate Usage (/0/x/15) that need no trust store beside the account (RFC 6698 section 2.1.1). */
export const CertificateUsage = { trustAnchor: 2, domainIssued: 3 } as const;

/** How the device proves who it is to the bootstrap server, and the server to it. All keys and certificates are DER. */
export type Credential =
  | { readonly mode: "psk"; readonly identity: Uint8Array; readonly key: Uint8Array }
  | {
      readonly mode: "x509";
      /** The device's own first, then those that lead to a CA, if there are any. */
      readonly certificates: readonly Uint8Array[];
      /** PKCS #8. */
      readonly privateKey: Uint8Array;
      /** The server's own certificate, or that of the CA that issued it. */
      readonly trust: { readonly serverCertificate: Uint8Array } | { readonly ca: Uint8Array };
    }
  | {
      readonly mode: "rpk";
      /** SubjectPublicKeyInfo, as the server's. */
      readonly publicKey: Uint8Array;
      /** PKCS #8. */
      readonly privateKey: Uint8Array;
      readonly serverPublicKey: Uint8Array;
    }
  | { readonly mode: "nosec" };

/**
 * The credential of an instance of the Security object (LwM2M Transport 1.1, section 5.2.8).
 * @throws NoBootstrapAccount naming the resource that is missing, unreadable or does not fit the others
 */
export function credentialOf(instance: ObjectInstance): Credential {
  const at = `/0/${instance.id}`;
  const mode = resourceValue(instance, Security.mode, "integer");
  const material = (id: number, what: string): Uint8Array => {
    const value = resourceValue(instance, id, "opaque");
    if (value === undefined || value.length === 0)
      throw new NoBootstrapAccount(`${at}/${id}: security mode ${mode} needs ${what}`);
    return value;
  };
  switch (mode) {
    case SECURITY_MODE.psk:
      return {
        mode: "psk",
        identity: material(Security.identity, "the PSK identity"),
        key: material(Security.secretKey, "the pre-shared key"),
      };
    case SECURITY_MODE.rpk: {
      const publicKey = material(Security.identity, "the device's public key");
      const privateKey = material(Security.secretKey, "the private key");
      const serverPublicKey = material(Security.serverKey, "the server's public key");
      readPublicKey(serverPublicKey, `${at}/${Security.serverKey}`);
      const own = createPublicKey(readPrivateKey(privateKey, `${at}/${Security.secretKey}`));
      if (!own.equals(readPublicKey(publicKey, `${at}/${Security.identity}`)))
        throw new NoBootstrapAccount(
          `${at}/${Security.secretKey}: the private key is not that of the public key in ${at}/${Security.identity}`,
        );
      return { mode: "rpk", publicKey, privateKey, serverPublicKey };
    }
    case SECURITY_MODE.x509: {
      const certificates = splitDer(material(Security.identity, "the device's certificate"));
      const privateKey = material(Security.secretKey, "the private key");
      const [own] = certificates.map((der) => readCertificate(der, `${at}/${Security.identity}`));
      const key = readPrivateKey(privateKey, `${at}/${Security.secretKey}`);
      if (own?.checkPrivateKey(key) !== true)
        throw new NoBootstrapAccount(
          `${at}/${Security.secretKey}: the private key is not that of the certificate in ${at}/${Security.identity}`,
        );
      const trusted = material(Security.serverKey, "the certificate of the server or its CA");
      readCertificate(trusted, `${at}/${Security.serverKey}`);
      return { mode: "x509", certificates, privateKey, trust: trustOf(instance, trusted) };
    }
    case SECURITY_MODE.nosec:
      return { mode: "nosec" };
    default:
      throw new NoBootstrapAccount(
        `${at}/2: security mode ${mode} is not supported; 0 (PSK), 1 (RPK), 2 (X.509) and 3 (NoSec) are`,
      );
  }
}

function trustOf(instance: ObjectInstance, certificate: Uint8Array): (Credential & { mode: "x509" })["trust"] {
  const matching = Number(resourceValue(instance, Security.matchingType, "unsigned") ?? 0);
  if (matching !== 0)
    throw new NoBootstrapAccount(
      `/0/${instance.id}/13: matching type ${matching} is not supported; 0 (the certificate itself) is`,
    );
  const usage = Number(resourceValue(instance, Security.certificateUsage, "unsigned") ?? CertificateUsage.domainIssued);
  if (usage === CertificateUsage.domainIssued) return { serverCertificate: certificate };
  if (usage === CertificateUsage.trustAnchor) return { ca: certificate };
  throw new NoBootstrapAccount(
    `/0/${instance.id}/15: certificate usage ${usage} needs a trust store, which the device has not; 2 (trust anchor) and 3 (domain issued) are supported`,
  );
}

/** The elements a DER text is made of, one behind the other: a chain of certificates in one resource. */
function splitDer(der: Uint8Array): Uint8Array[] {
  const parts: Uint8Array[] = [];
  let at = 0;
  while (at < der.length) {
    const first = der[at + 1] ?? 0;
    const lengthBytes = first < 0x80 ? 0 : first & 0x7f;
    let length = lengthBytes === 0 ? first : 0;
    for (let i = 0; i < Math.min(lengthBytes, 4); i++) length = length * 256 + (der[at + 2 + i] ?? 0);
    const end = at + 2 + lengthBytes + length;
    parts.push(der.subarray(at, end));
    at = end;
  }
  return parts;
}

/** @throws NoBootstrapAccount which says where, and what OpenSSL has to say, but nothing of the key */
function readPrivateKey(der: Uint8Array, where: string): KeyObject {
  return read(() => createPrivateKey({ key: Buffer.from(der), format: "der", type: "pkcs8" }), where, "private key (PKCS #8)");
}

function readPublicKey(der: Uint8Array, where: string): KeyObject {
  return read(
    () => createPublicKey({ key: Buffer.from(der), format: "der", type: "spki" }),
    where,
    "public key (SubjectPublicKeyInfo)",
  );
}

function readCertificate(der: Uint8Array, where: string): X509Certificate {
  return read(() => new X509Certificate(der), where, "certificate");
}

function read<T>(attempt: () => T, where: string, what: string): T {
  try {
    return attempt();
  } catch (error) {
    throw new NoBootstrapAccount(`${where}: is no DER of a ${what}: ${errorText(error)}`);
  }
}
