import { resourceValue } from "./node.ts";
import type { ObjectDefinitions } from "./objects.ts";
import type { BootstrapProfile } from "./profile.ts";
import type { ProfileContent } from "./profile-content.ts";
import { keyKind, keysBelongTogether } from "./profile-key.ts";
import type { KnownInstance } from "./profile-known.ts";
import { SECURITY_MODE } from "./security-mode.ts";

/** What is allowed but known to trouble some clients, one line each. */
export function findWarnings(
  profile: BootstrapProfile,
  { freshKeys }: ProfileContent,
  known: readonly KnownInstance[],
  definitions: ObjectDefinitions,
): string[] {
  const security = known.filter(({ instance }) => instance.objectId === 0);
  const servers = known.filter(({ instance }) => instance.objectId === 1);
  return [
    ...security.flatMap((entry) => [...uriWarnings(entry), ...pskWarnings(entry), ...keyPairWarnings(entry)]),
    ...security.flatMap((entry) => [...placeWarnings(entry, profile), ...holdOffWarnings(entry)]),
    ...freshKeys.flatMap(({ shortServerId, bytes }) => {
      const origin = `servers[${profile.servers.findIndex((server) => server.shortServerId === shortServerId)}]`;
      return keyLengthWarnings(`${origin}: security.bytes`, bytes);
    }),
    ...known.flatMap((entry) => unknownResources(entry, definitions)),
    ...withoutServer(security, servers),
    ...formatWarnings(profile),
  ];
}

function uriWarnings({ path, origin, instance }: KnownInstance): string[] {
  const uri = resourceValue(instance, 0, "string");
  if (uri === undefined) return [];
  const at = `${origin}: ${path}/0 ${uri}`;
  const [, scheme, authority = "", rest = ""] = /^(coaps?(?:\+tcp|\+ws)?):\/\/([^/?#]+)(.*)$/.exec(uri) ?? [];
  if (scheme === undefined) return [`${at} is not a CoAP URI`];
  const nosec = resourceValue(instance, 2, "integer") === SECURITY_MODE.nosec;
  const warnings: string[] = [];
  if (scheme.startsWith("coaps") === nosec)
    warnings.push(`${at} does not go with ${nosec ? "mode NoSec" : "a security mode with keys"}`);
  if (!/:\d+$/.test(authority)) warnings.push(`${at} has no port; Wakaama accepts that but never registers`);
  if (rest !== "") warnings.push(`${at} has a path; Wakaama accepts that but never registers`);
  return warnings;
}

function pskWarnings({ path, origin, instance }: KnownInstance): string[] {
  if (resourceValue(instance, 2, "integer") !== SECURITY_MODE.psk) return [];
  const [identity, key] = [resourceValue(instance, 3, "opaque")?.length ?? 0, resourceValue(instance, 5, "opaque")?.length];
  const warnings: string[] = [];
  if (identity > 32)
    warnings.push(
      `${origin}: ${path}/3 is an identity of ${identity} bytes; tinydtls (Wakaama) takes 32 and fails its handshake with more`,
    );
  return key === undefined ? warnings : [...warnings, ...keyLengthWarnings(`${origin}: ${path}/5`, key)];
}

function keyLengthWarnings(at: string, bytes: number): string[] {
  if (bytes > 16) return [`${at} is a key of ${bytes} bytes; tinydtls (Wakaama) takes 16 and fails its handshake with more`];
  return bytes > 0 && bytes < 16 ? [`${at} is a key of ${bytes} bytes; LwM2M recommends 16 or more`] : [];
}

function keyPairWarnings({ path, origin, instance }: KnownInstance): string[] {
  const kind = keyKind(Number(resourceValue(instance, 2, "integer")), 3);
  const [own, secret] = [resourceValue(instance, 3, "opaque"), resourceValue(instance, 5, "opaque")];
  if (kind === undefined || own === undefined || secret === undefined || keysBelongTogether(kind, own, secret)) return [];
  const what = kind === "certificate" ? "certificate" : "public key";
  return [`${origin}: ${path}/5 is not the private key of the ${what} in ${path}/3; every handshake will fail`];
}

function placeWarnings({ path, origin, instance, isAccount }: KnownInstance, profile: BootstrapProfile): string[] {
  if (isAccount) {
    if (profile.discover) return [];
    return [`${origin}: ${path} is a bootstrap account; it replaces the client's own only if that has the same instance id`];
  }
  if (instance.id > 1) return [];
  const owner = instance.id === 0 ? "Wakaama and most others" : "Anjay's demo clients";
  const when = profile.discover ? "which this overwrites if the client refuses Discover" : "which this overwrites";
  return [`${origin}: ${path} is where ${owner} keep the bootstrap account, ${when}; take 10 or more, or none`];
}

function holdOffWarnings({ path, origin, isAccount, ids }: KnownInstance): string[] {
  if (!isAccount || ids.has(11)) return [];
  return [
    `${origin}: ${path}/11 Client Hold Off Time is not set; what a client takes instead differs, and some wait not at all before they ask again`,
  ];
}

/** A newer resource of /1 that Wakaama does not know, beside those nobody defined. */
const UNKNOWN_TO_WAKAAMA = new Set([22]);

function unknownResources({ path, origin, instance, ids }: KnownInstance, definitions: ObjectDefinitions): string[] {
  const definition = definitions.get(instance.objectId);
  if (definition === undefined) return [];
  return [...ids].flatMap((id) => {
    if (!definition.resources.has(id))
      return [`${origin}: ${path}/${id} is no resource of ${definition.name} ${definition.version}; Wakaama refuses the write`];
    if (instance.objectId !== 1 || !UNKNOWN_TO_WAKAAMA.has(id)) return [];
    return [`${origin}: ${path}/${id} ${definition.resources.get(id)?.name} is not known to Wakaama, which refuses the write`];
  });
}

function withoutServer(security: readonly KnownInstance[], servers: readonly KnownInstance[]): string[] {
  const ssids = new Set(servers.map(({ instance }) => resourceValue(instance, 0, "integer")));
  return security.flatMap(({ path, origin, instance, isAccount }) => {
    const ssid = isAccount ? undefined : resourceValue(instance, 10, "integer");
    if (ssid === undefined || ssids.has(ssid)) return [];
    return [`${origin}: ${path} is for short server id ${ssid}, which no instance of /1 written here has`];
  });
}

function formatWarnings({ contentFormat }: BootstrapProfile): string[] {
  if (contentFormat === "senml-cbor") return ["contentFormat: senml-cbor is refused by Wakaama as it is built by default"];
  if (contentFormat === "lwm2m-cbor") return ["contentFormat: lwm2m-cbor is refused by clients before LwM2M 1.2"];
  return [];
}
