import { createPrivateKey, createPublicKey, X509Certificate } from "node:crypto";
import { NEEDED_KEY_MATERIAL } from "./consistency.ts";
import { InvalidPath } from "./errors.ts";
import { type ObjectInstance, objectInstance, type Resource, resourceValue, single } from "./node.ts";
import { CORE_OBJECTS } from "./objects.ts";
import { parsePath } from "./path.ts";
import type { BootstrapProfile } from "./profile.ts";
import { type InstanceTemplate, profileInstances, SECURITY_MODE } from "./profile-instances.ts";

export interface ProfileReport {
  /** Why the profile cannot be used. */
  readonly problems: readonly string[];
  /** What some clients are known not to get along with. */
  readonly warnings: readonly string[];
}

/** An instance with the values that do not depend on the device; `has` knows of the others too. */
interface Known {
  readonly path: string;
  readonly origin: string;
  readonly instance: ObjectInstance;
  readonly ids: ReadonlySet<number>;
}

/** Checks what a profile would write, as far as it is known without a device: Leshan's checks and more. */
export function checkProfile(profile: BootstrapProfile): ProfileReport {
  const { instances, problems } = profileInstances(profile);
  problems.push(...profile.delete.flatMap(deleteProblems));
  // What could not be read would only seem to be missing below.
  if (problems.length > 0) return { problems, warnings: [] };
  const warnings: string[] = [];
  const known = instances.map(toKnown);
  const security = known.filter(({ instance }) => instance.objectId === 0);
  const servers = known.filter(({ instance }) => instance.objectId === 1);
  for (const entry of known) problems.push(...missing(entry));
  for (const entry of security) {
    problems.push(...credentialProblems(entry), ...oscoreProblems(entry, known));
    warnings.push(...uriWarnings(entry), ...tinydtlsWarnings(entry), ...placeWarnings(entry));
  }
  problems.push(...pairProblems(security, servers));
  if (servers.length === 0 && profile.delete.some((path) => path === "/" || path === "/0" || path === "/1")) {
    problems.push("servers: no server is written after all were deleted; a client refuses to finish without one");
  }
  for (const entry of known) warnings.push(...unknownResources(entry));
  const ssids = new Set(servers.map(({ instance }) => resourceValue(instance, 0, "integer")));
  for (const { path, origin, instance } of security.filter((entry) => !isBootstrapAccount(entry))) {
    const ssid = resourceValue(instance, 10, "integer");
    if (ssid !== undefined && !ssids.has(ssid))
      warnings.push(`${origin}: ${path} is for short server id ${ssid}, which no instance of /1 written here has`);
  }
  if (profile.contentFormat === "senml-cbor")
    warnings.push("contentFormat: senml-cbor is refused by Wakaama as it is built by default");
  return { problems, warnings };
}

function toKnown(template: InstanceTemplate): Known {
  const known: Resource[] = [];
  for (const resource of template.resources) {
    if (resource.kind === "single" && "known" in resource.value) known.push(single(resource.id, resource.value.known));
  }
  return {
    path: `/${template.objectId}/${template.id}`,
    origin: template.origin,
    instance: objectInstance(template.objectId, template.id, known),
    ids: new Set(template.resources.map((resource) => resource.id)),
  };
}

function isBootstrapAccount({ instance }: Known): boolean {
  return resourceValue(instance, 1, "boolean") === true;
}

function deleteProblems(path: string): string[] {
  try {
    return parsePath(path).length <= 2
      ? []
      : [`delete: ${path} is a resource; only /, objects and object instances can be deleted`];
  } catch (error) {
    if (error instanceof InvalidPath) return [`delete: ${error.message}`];
    throw error;
  }
}

function missing({ path, origin, instance, ids }: Known): string[] {
  const definition = CORE_OBJECTS.get(instance.objectId);
  return [...(definition?.resources.values() ?? [])]
    .filter((resource) => resource.mandatory && resource.type !== undefined && !ids.has(resource.id))
    .filter((resource) => instance.objectId !== 0 || resource.id < 3)
    .map((resource) => `${origin}: ${path}/${resource.id} ${resource.name} is missing`);
}

function credentialProblems({ path, origin, instance, ids }: Known): string[] {
  const problem = (id: number, why: string): string =>
    `${origin}: ${path}/${id} ${CORE_OBJECTS.get(0)?.resources.get(id)?.name} ${why}`;
  const mode = resourceValue(instance, 2, "integer");
  if (mode === undefined) return [];
  if (mode === SECURITY_MODE.est) return [problem(2, "is 4, enrolment over EST, which is not supported")];
  const problems: string[] = [];
  if (resourceValue(instance, 0, "string") === "") problems.push(problem(0, "is empty"));
  const needed = NEEDED_KEY_MATERIAL[Number(mode)] ?? [];
  for (const id of [3, 4, 5]) {
    const bytes = resourceValue(instance, id, "opaque");
    const empty = bytes === undefined ? !ids.has(id) : bytes.length === 0;
    if (needed.includes(id) && empty) problems.push(problem(id, "is empty, which the security mode needs"));
    if (mode === SECURITY_MODE.nosec && !empty) problems.push(problem(id, "must be empty in mode NoSec"));
    if (bytes === undefined || bytes.length === 0) continue;
    const why = unreadable(Number(mode), id, Buffer.from(bytes));
    if (why !== undefined) problems.push(problem(id, why));
  }
  return problems;
}

/** Why the key material cannot be what the security mode says it is. */
function unreadable(mode: number, id: number, bytes: Buffer): string | undefined {
  if (mode === SECURITY_MODE.psk) {
    return id === 3 && !Buffer.from(bytes.toString("utf8")).equals(bytes) ? "is not UTF-8 text" : undefined;
  }
  if (mode !== SECURITY_MODE.rpk && mode !== SECURITY_MODE.x509) return undefined;
  const what =
    id === 5 ? "a PKCS #8 private key" : mode === SECURITY_MODE.rpk ? "a SubjectPublicKeyInfo" : "an X.509 certificate";
  try {
    if (id === 5) createPrivateKey({ key: bytes, format: "der", type: "pkcs8" });
    else if (mode === SECURITY_MODE.rpk) createPublicKey({ key: bytes, format: "der", type: "spki" });
    else new X509Certificate(bytes);
    return undefined;
  } catch {
    return `is not ${what} in DER`;
  }
}

function oscoreProblems({ path, origin, instance }: Known, all: readonly Known[]): string[] {
  const link = resourceValue(instance, 17, "objlnk");
  if (link === undefined || all.some((entry) => entry.path === `/${link.objectId}/${link.instanceId}`)) return [];
  return [`${origin}: ${path}/17 links to /${link.objectId}/${link.instanceId}, which is not written here`];
}

/** Every server needs its security instance, and each short server id one of each. */
function pairProblems(security: readonly Known[], servers: readonly Known[]): string[] {
  const problems: string[] = [];
  const bootstrapAccounts = security.filter(isBootstrapAccount);
  for (const { path, origin } of bootstrapAccounts.slice(1))
    problems.push(`${origin}: ${path} is a second bootstrap account; a client has one`);
  const withSecurity = new Map<number | bigint, string>();
  for (const { path, origin, instance, ids } of security) {
    const ssid = resourceValue(instance, 10, "integer");
    if (bootstrapAccounts.some((account) => account.path === path)) continue;
    if (!ids.has(10)) problems.push(`${origin}: ${path}/10 Short Server ID is missing`);
    if (ssid === undefined) continue;
    const other = withSecurity.get(ssid);
    if (other !== undefined) problems.push(`${origin}: ${path} has the short server id ${ssid} of ${other}`);
    withSecurity.set(ssid, path);
  }
  const seen = new Map<number | bigint, string>();
  for (const { path, origin, instance } of servers) {
    const ssid = resourceValue(instance, 0, "integer");
    if (ssid === undefined) continue;
    const other = seen.get(ssid);
    if (other !== undefined) problems.push(`${origin}: ${path} has the short server id ${ssid} of ${other}`);
    seen.set(ssid, path);
    if (!withSecurity.has(ssid))
      problems.push(`${origin}: ${path} has the short server id ${ssid}, which no server account in /0 has`);
  }
  return problems;
}

function uriWarnings({ path, origin, instance }: Known): string[] {
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

function tinydtlsWarnings({ path, origin, instance }: Known): string[] {
  if (resourceValue(instance, 2, "integer") !== SECURITY_MODE.psk) return [];
  const [identity, key] = [resourceValue(instance, 3, "opaque")?.length ?? 0, resourceValue(instance, 5, "opaque")?.length];
  const warnings: string[] = [];
  if (identity > 32)
    warnings.push(
      `${origin}: ${path}/3 is an identity of ${identity} bytes; tinydtls (Wakaama) takes 32 and fails its handshake with more`,
    );
  if (key !== undefined && key > 16)
    warnings.push(`${origin}: ${path}/5 is a key of ${key} bytes; tinydtls (Wakaama) takes 16 and fails its handshake with more`);
  if (key !== undefined && key > 0 && key < 16)
    warnings.push(`${origin}: ${path}/5 is a key of ${key} bytes; LwM2M recommends 16 or more`);
  return warnings;
}

function placeWarnings(entry: Known): string[] {
  const { path, origin, instance } = entry;
  if (isBootstrapAccount(entry)) {
    return [`${origin}: ${path} is a bootstrap account; it replaces the client's own only if that has the same instance id`];
  }
  if (instance.id > 1) return [];
  const owner = instance.id === 0 ? "Wakaama and most others" : "Anjay's demo client";
  return [`${origin}: ${path} is where ${owner} keep the bootstrap account, which this overwrites; take 10 or more`];
}

function unknownResources({ path, origin, instance, ids }: Known): string[] {
  const definition = CORE_OBJECTS.get(instance.objectId);
  if (definition === undefined) return [];
  return [...ids]
    .filter((id) => !definition.resources.has(id))
    .map(
      (id) => `${origin}: ${path}/${id} is no resource of ${definition.name} ${definition.version}; Wakaama refuses the write`,
    );
}
