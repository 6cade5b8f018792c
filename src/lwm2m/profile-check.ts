import { InvalidInput } from "../lib/errors.ts";
import { NEEDED_KEY_MATERIAL } from "./consistency.ts";
import { InvalidPath } from "./errors.ts";
import { resourceValue } from "./node.ts";
import { CORE_OBJECTS, type ObjectDefinitions } from "./objects.ts";
import { parsePath } from "./path.ts";
import type { BootstrapProfile } from "./profile.ts";
import { type ProfileContent, profileContent } from "./profile-content.ts";
import { checkKey, keyKind } from "./profile-key.ts";
import { type KnownInstance, knownInstances } from "./profile-known.ts";
import { checkOscore } from "./profile-security.ts";
import { findWarnings } from "./profile-warnings.ts";
import { SECURITY_MODE } from "./security-mode.ts";

export interface ProfileReport {
  /** Why the profile cannot be used. */
  readonly problems: readonly string[];
  /** What some clients are known not to get along with. */
  readonly warnings: readonly string[];
}

/** Checks what a profile would write, as far as it is known without a device: Leshan's checks and more. */
export function checkProfile(profile: BootstrapProfile, definitions: ObjectDefinitions = CORE_OBJECTS): ProfileReport {
  const deletes = profile.delete.flatMap(deleteProblems);
  const content = profileContent(deletes.length === 0 ? profile : { ...profile, delete: [] }, definitions);
  const unreadable = [...content.problems, ...deletes];
  // What could not be read would only seem to be missing below.
  if (unreadable.length > 0) return { problems: unreadable, warnings: [] };
  const known = knownInstances(content);
  const security = known.filter(({ instance }) => instance.objectId === 0);
  const servers = known.filter(({ instance }) => instance.objectId === 1);
  const problems = [
    ...known.flatMap((entry) => missing(entry, definitions)),
    ...known.flatMap((entry) => singleInstanceProblems(entry, definitions)),
    ...security.flatMap((entry) => [...credentialProblems(entry), ...linkProblems(entry, known)]),
    ...known.flatMap(oscoreProblems),
    ...pairProblems(security, servers),
    ...accountProblems(profile, content, security),
  ];
  if (servers.length === 0 && profile.delete.some((path) => path === "/" || path === "/0" || path === "/1")) {
    problems.push("servers: no server is written after all were deleted; a client refuses to finish without one");
  }
  return { problems, warnings: findWarnings(profile, content, known, definitions) };
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

function missing({ path, origin, instance, ids }: KnownInstance, definitions: ObjectDefinitions): string[] {
  const definition = definitions.get(instance.objectId);
  return [...(definition?.resources.values() ?? [])]
    .filter((resource) => resource.mandatory && resource.type !== undefined && !ids.has(resource.id))
    .filter((resource) => instance.objectId !== 0 || resource.id < 3)
    .map((resource) => `${origin}: ${path}/${resource.id} ${resource.name} is missing`);
}

function singleInstanceProblems({ path, origin, instance }: KnownInstance, definitions: ObjectDefinitions): string[] {
  const definition = definitions.get(instance.objectId);
  if (definition?.multiple !== false || instance.id === 0) return [];
  return [`${origin}: ${path}: ${definition.name} has one instance, /${instance.objectId}/0`];
}

function credentialProblems({ path, origin, instance, ids }: KnownInstance): string[] {
  const problem = (id: number, why: string): string =>
    `${origin}: ${path}/${id} ${CORE_OBJECTS.get(0)?.resources.get(id)?.name} ${why}`;
  const mode = resourceValue(instance, 2, "integer");
  if (mode === undefined) return [];
  if (mode === SECURITY_MODE.est) return [problem(2, "is 4, enrolment over EST, which is not supported")];
  const problems: string[] = [];
  const uri = resourceValue(instance, 0, "string");
  if (uri === "") problems.push(problem(0, "is empty"));
  else if (uri !== undefined && !mayBeUri(uri))
    problems.push(problem(0, `is no URI with a host and a possible port (got ${uri})`));
  const needed = NEEDED_KEY_MATERIAL[Number(mode)] ?? [];
  for (const id of [3, 4, 5]) {
    const bytes = resourceValue(instance, id, "opaque");
    const empty = bytes === undefined ? !ids.has(id) : bytes.length === 0;
    if (needed.includes(id) && empty) problems.push(problem(id, "is empty, which the security mode needs"));
    if (mode === SECURITY_MODE.nosec && !empty) problems.push(problem(id, "must be empty in mode NoSec"));
    if (bytes === undefined || bytes.length === 0) continue;
    const why = unreadable(Number(mode), id, bytes);
    if (why !== undefined) problems.push(problem(id, why));
  }
  return problems;
}

/** The static URI of a bootstrap account may have placeholders of names, which are judged with its recipe. */
function mayBeUri(uri: string): boolean {
  if (uri.includes("{")) return true;
  if (!URL.canParse(uri)) return false;
  const { hostname, port } = new URL(uri);
  return hostname !== "" && port !== "0";
}

/** Why the key material cannot be what the security mode says it is. */
function unreadable(mode: number, id: number, bytes: Uint8Array): string | undefined {
  if (mode === SECURITY_MODE.psk) {
    const text = Buffer.from(bytes);
    return id === 3 && !Buffer.from(text.toString("utf8")).equals(text) ? "is not UTF-8 text" : undefined;
  }
  const kind = keyKind(mode, id);
  return kind === undefined ? undefined : thrownBy(() => checkKey(kind, bytes));
}

function thrownBy(check: () => void): string | undefined {
  try {
    check();
    return undefined;
  } catch (error) {
    if (error instanceof InvalidInput) return error.message;
    throw error;
  }
}

function linkProblems({ path, origin, instance }: KnownInstance, all: readonly KnownInstance[]): string[] {
  const link = resourceValue(instance, 17, "objlnk");
  const isThere = ({ instance: other }: KnownInstance): boolean =>
    other.objectId === link?.objectId && other.id === link.instanceId;
  if (link === undefined || all.some(isThere)) return [];
  return [`${origin}: ${path}/17 links to /${link.objectId}/${link.instanceId}, which is not written here`];
}

function oscoreProblems({ path, origin, instance }: KnownInstance): string[] {
  if (instance.objectId !== 21) return [];
  const [aead, hmac] = [3, 4].map((id) => resourceValue(instance, id, "integer"));
  const why = thrownBy(() =>
    checkOscore({
      masterSecret: resourceValue(instance, 0, "opaque"),
      ids: [resourceValue(instance, 1, "opaque"), resourceValue(instance, 2, "opaque")],
      aead: aead === undefined ? undefined : Number(aead),
      hmac: hmac === undefined ? undefined : Number(hmac),
    }),
  );
  return why === undefined ? [] : [`${origin}: ${path} ${why}`];
}

/** Every server needs its security instance, and each short server id one of each. */
function pairProblems(security: readonly KnownInstance[], servers: readonly KnownInstance[]): string[] {
  const problems: string[] = [];
  for (const { path, origin } of security.filter((entry) => entry.isAccount).slice(1))
    problems.push(`${origin}: ${path} is a second bootstrap account; a client has one`);
  const withSecurity = new Map<number | bigint, string>();
  for (const { path, origin, instance, ids, isAccount } of security) {
    if (isAccount) continue;
    const ssid = resourceValue(instance, 10, "integer");
    if (!ids.has(10)) problems.push(`${origin}: ${path}/10 Short Server ID is missing`);
    if (ssid === undefined) continue;
    const other = withSecurity.get(ssid);
    if (other !== undefined) problems.push(`${origin}: ${path} has the short server id ${ssid} of ${other}`);
    withSecurity.set(ssid, `${origin}: ${path}`);
  }
  const seen = new Map<number | bigint, string>();
  for (const { path, origin, instance } of servers) {
    const ssid = resourceValue(instance, 0, "integer");
    if (ssid === undefined) continue;
    const other = seen.get(ssid);
    if (other !== undefined) problems.push(`${origin}: ${path} has the short server id ${ssid} of ${other}`);
    seen.set(ssid, `${origin}: ${path}`);
    if (!withSecurity.has(ssid))
      problems.push(`${origin}: ${path} has the short server id ${ssid}, which no server account in /0 has`);
  }
  return problems;
}

/** The bootstrap account is written by itself, to an instance that can be known. */
function accountProblems(profile: BootstrapProfile, content: ProfileContent, security: readonly KnownInstance[]): string[] {
  const problems: string[] = [];
  if (profile.bootstrapServer?.instance === undefined && profile.bootstrapServer !== undefined && !profile.discover) {
    problems.push("bootstrapServer: needs an instance where discover is false; that of a client's account is not known else");
  }
  for (const { level, instances } of content.writes) {
    const [account] = security.filter(({ isAccount, instance }) => isAccount && instances.some(({ id }) => id === instance.id));
    if (level === "object" && instances[0]?.objectId === 0 && account !== undefined)
      problems.push(
        `${account.origin}: ${account.path} is the bootstrap account, which is written by itself: see bootstrapServer`,
      );
  }
  return problems;
}
