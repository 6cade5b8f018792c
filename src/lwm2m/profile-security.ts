import { fromHex, utf8 } from "../lib/bytes.ts";
import { InvalidInput } from "../lib/errors.ts";
import { ProfileMismatch } from "./errors.ts";
import type { ResourceValue } from "./node.ts";
import type { OscoreSettings, ResourceSettings, ServerSecurity } from "./profile.ts";
import { checkKey, keyKind, readDer } from "./profile-key.ts";
import { textTemplate, type ValueTemplate } from "./profile-value.ts";
import { SECURITY_MODE } from "./security-mode.ts";
import type { DeviceFacts, FreshKeyWanted } from "./steps.ts";

/** Makes the template of one value; `where` is the path of its resource, for errors. @throws InvalidInput */
export type MakeTemplate = (where: string) => ValueTemplate;

/** The number that stands in /0/x/2. */
export function securityModeOf(security: ServerSecurity): number {
  return SECURITY_MODE[security.mode === "fresh-psk" ? "psk" : security.mode];
}

/** Public Key or Identity, Server Public Key and Secret Key: /0/x/3, 4 and 5. */
export function keyMaterial(security: ServerSecurity, shortServerId: number): readonly [number, MakeTemplate][] {
  const [own, theirs, secret] = materialOf(security, shortServerId);
  return [
    [3, own],
    [4, theirs],
    [5, secret],
  ];
}

// Mandatory in the object's definition, so written as empty where the mode has no use for them.
const EMPTY: MakeTemplate = () => ({ type: "opaque", known: { type: "opaque", value: new Uint8Array(0) } });

function materialOf(security: ServerSecurity, shortServerId: number): readonly [MakeTemplate, MakeTemplate, MakeTemplate] {
  switch (security.mode) {
    case "nosec":
      return [EMPTY, EMPTY, EMPTY];
    case "psk":
      return [identity(security.identity), EMPTY, bytes(security.key, (text) => fromHex(text, "must be hex"))];
    case "fresh-psk":
      return [identity(security.identity), EMPTY, freshKey(shortServerId, security.bytes)];
    case "x509":
      return [
        key(SECURITY_MODE.x509, 3, security.certificate),
        key(SECURITY_MODE.x509, 4, security.serverCertificate),
        key(SECURITY_MODE.x509, 5, security.key),
      ];
    case "rpk":
      return [
        key(SECURITY_MODE.rpk, 3, security.publicKey),
        key(SECURITY_MODE.rpk, 4, security.serverPublicKey),
        key(SECURITY_MODE.rpk, 5, security.key),
      ];
  }
}

function bytes(text: string, read: (text: string) => Uint8Array): MakeTemplate {
  return (where) => textTemplate(text, "opaque", (filled): ResourceValue => ({ type: "opaque", value: read(filled) }), where);
}

function identity(text: string): MakeTemplate {
  return bytes(text, utf8);
}

function key(mode: number, resourceId: number, text: string): MakeTemplate {
  const kind = keyKind(mode, resourceId);
  return bytes(text, (filled) => {
    const der = readDer(filled);
    if (kind !== undefined) checkKey(kind, der);
    return der;
  });
}

function freshKey(shortServerId: number, length: number): MakeTemplate {
  return (where) => ({
    type: "opaque",
    fill({ freshKeys }) {
      const value = freshKeys?.get(shortServerId);
      if (value?.length !== length) throw new ProfileMismatch(`${where}: needs a fresh key of ${length} bytes, and got none`);
      return { type: "opaque", value };
    },
  });
}

/**
 * What is to be made on the spot for a server account, if anything.
 * @throws InvalidInput when the identity has a placeholder nobody knows
 */
export function freshKeyWanted(security: ServerSecurity, shortServerId: number, where: string): FreshKeyWanted | undefined {
  if (security.mode !== "fresh-psk") return undefined;
  const template = textTemplate(security.identity, "string", (value): ResourceValue => ({ type: "string", value }), where);
  const read = (device: DeviceFacts): ResourceValue => ("known" in template ? template.known : template.fill({ device }));
  return {
    shortServerId,
    securityStore: security.securityStore,
    bytes: security.bytes,
    identity: (device) => String(read(device).value),
  };
}

/** The resources of the instance of /21. */
export function oscoreResources(oscore: OscoreSettings): ResourceSettings {
  const { masterSalt, idContext } = oscore;
  return {
    0: { hex: oscore.masterSecret },
    1: { hex: oscore.senderId },
    2: { hex: oscore.recipientId },
    ...(oscore.aead === undefined ? {} : { 3: oscore.aead }),
    ...(oscore.hmac === undefined ? {} : { 4: oscore.hmac }),
    ...(masterSalt === undefined ? {} : { 5: { hex: masterSalt } }),
    ...(idContext === undefined ? {} : { 6: { hex: idContext } }),
  };
}

/** Length of the nonce of each AEAD algorithm OSCORE may be used with, by its COSE number (RFC 9053, 4.1 and 4.2). */
const AEAD_NONCES: ReadonlyMap<number, number> = new Map([
  ...[1, 2, 3].map((algorithm) => [algorithm, 12] as const),
  ...[10, 11, 30, 31].map((algorithm) => [algorithm, 13] as const),
  ...[12, 13, 32, 33].map((algorithm) => [algorithm, 7] as const),
]);
/**
 * What clients take as /21/x/4, by COSE number: HKDF with SHA-256, SHA-512, AES-MAC-128, AES-MAC-256 (RFC 9053, 5.1), as
 * Leshan, or its HMAC alone with SHA-256, SHA-384, SHA-512 (RFC 9053, 3.1), as the name of the resource says.
 */
const HMACS: readonly number[] = [-10, -11, -12, -13, 5, 6, 7];

/**
 * What is wrong with the parameters of an OSCORE context (RFC 8613, 3.3): ids are at most the nonce less 6 bytes.
 * @throws InvalidInput
 */
export function checkOscore(values: {
  readonly masterSecret: Uint8Array | undefined;
  readonly ids: readonly (Uint8Array | undefined)[];
  readonly aead: number | undefined;
  readonly hmac: number | undefined;
}): void {
  if (values.masterSecret?.length === 0) throw new InvalidInput("has an empty master secret");
  const nonce = AEAD_NONCES.get(values.aead ?? 10);
  if (nonce === undefined) throw new InvalidInput(`has the AEAD algorithm ${values.aead}, which is none of OSCORE's`);
  if (values.hmac !== undefined && !HMACS.includes(values.hmac))
    throw new InvalidInput(`has the HMAC algorithm ${values.hmac}; there are ${HMACS.join(", ")}`);
  const length = Math.max(...values.ids.map((id) => id?.length ?? 0));
  if (length > nonce - 6)
    throw new InvalidInput(`has an id of ${length} bytes; ${nonce - 6} are the most with AEAD algorithm ${values.aead ?? 10}`);
}
