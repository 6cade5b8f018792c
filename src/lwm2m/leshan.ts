import { z } from "zod";
import { toHex, utf8 } from "../lib/bytes.ts";
import { InvalidInput } from "../lib/errors.ts";
import { parseWith } from "../lib/schema.ts";
import { WRITE_FORMATS } from "./content-format.ts";
import { nameServers } from "./leshan-servers.ts";
import type { BootstrapProfile, ResourceSetting, ResourceSettings } from "./profile.ts";
import { parseProfile } from "./profile-parse.ts";
import { SECURITY_MODE } from "./security-mode.ts";

/** What a file of Eclipse Leshan's bootstrap server holds: one configuration, or one for each endpoint name. */
export type LeshanProfiles =
  | { readonly kind: "single"; readonly profile: BootstrapProfile }
  | { readonly kind: "by-endpoint"; readonly profiles: ReadonlyMap<string, BootstrapProfile> };

/** Bytes as Leshan writes them, an array of signed or unsigned numbers, or base64, which it reads as well. As hex. */
const bytes = z.union(
  [
    z.array(z.number().int().min(-128).max(255)).transform((numbers) => toHex(Uint8Array.from(numbers))),
    z.base64().transform((text) => toHex(Buffer.from(text, "base64"))),
  ],
  { error: "expected an array of bytes or base64" },
);
/** Its enumerations: by name, or by number. */
function code(...names: readonly string[]): z.ZodType<number> {
  return z.union([z.number().int().min(0), z.enum([...names]).transform((name) => names.indexOf(name))], {
    error: `expected one of ${names.filter((name) => name !== "").join(", ")}`,
  });
}
const cipherSuite = z.union([
  z.number().int(),
  z.strictObject({ valueForSecurityObject: z.number().int() }).transform((id) => id.valueForSecurityObject),
]);
const smsSecurityMode = z.union([
  code("RESERVED", "SPS_DEVICE", "SPS_SMARTCARD", "NO_SEC"),
  z.literal("PROPRIETARY").transform(() => 255),
]);
const integer = z.number().int();

/** One resource of an instance: the field of Leshan's class, what it may hold, what it is when absent. */
type Field = readonly [name: string, resourceId: number, schema: z.ZodType<ResourceSetting>, initial?: ResourceSetting];

const SECURITY: readonly Field[] = [
  ["uri", 0, z.string()],
  ["bootstrapServer", 1, z.boolean(), false],
  ["securityMode", 2, code("PSK", "RPK", "X509", "NO_SEC", "EST")],
  ["publicKeyOrId", 3, bytes, ""],
  ["serverPublicKey", 4, bytes, ""],
  ["secretKey", 5, bytes, ""],
  ["smsSecurityMode", 6, smsSecurityMode, 3],
  ["smsBindingKeyParam", 7, bytes, ""],
  ["smsBindingKeySecret", 8, bytes, ""],
  ["serverSmsNumber", 9, z.string(), ""],
  ["serverId", 10, integer],
  ["clientOldOffTime", 11, integer, 1],
  ["bootstrapServerAccountTimeout", 12, integer, 0],
  ["matchingType", 13, code("EXACT_MATCH", "SHA256", "SHA384", "SHA512")],
  ["sni", 14, z.string()],
  [
    "certificateUsage",
    15,
    code("CA_CONSTRAINT", "SERVICE_CERTIFICATE_CONSTRAINT", "TRUST_ANCHOR_ASSERTION", "DOMAIN_ISSUER_CERTIFICATE"),
  ],
  ["cipherSuite", 16, z.array(cipherSuite).transform((suites): Record<string, number> => Object.fromEntries(suites.entries()))],
  ["oscoreSecurityMode", 17, integer.transform((instance) => `21:${instance}`)],
];
const SERVER: readonly Field[] = [
  ["shortId", 0, integer, 0],
  ["lifetime", 1, integer, 86_400],
  ["defaultMinPeriod", 2, integer, 1],
  ["defaultMaxPeriod", 3, integer],
  ["disableTimeout", 5, integer],
  ["notifIfDisabled", 6, z.boolean(), true],
  ["binding", 7, z.union([z.string(), z.array(z.string()).transform((modes) => modes.join(""))]), "U"],
  ["apnLink", 10, integer.transform((instance) => `11:${instance}`)],
  ["registrationPriority", 13, integer],
  ["initialDelay", 14, integer],
  ["registrationFailure", 15, z.boolean()],
  ["bootstrapOnRegistrationFailure", 16, z.boolean()],
  ["communicationRetryCount", 17, integer],
  ["CommunicationRetryTimer", 18, integer],
  ["SequenceDelayTimer", 19, integer],
  ["SequenceRetryCount", 20, integer],
  ["trigger", 21, z.boolean()],
  ["preferredTransport", 22, z.string()],
  ["muteSend", 23, z.boolean()],
];
const ACL: readonly Field[] = [
  ["objectId", 0, integer, 0],
  ["objectInstanceId", 1, integer, 0],
  ["acls", 2, z.record(z.string(), integer)],
  ["AccessControlOwner", 3, integer],
];
const OSCORE: readonly Field[] = [
  ["oscoreMasterSecret", 0, bytes.transform((hex) => ({ hex }))],
  ["oscoreSenderId", 1, bytes.transform((hex) => ({ hex }))],
  ["oscoreRecipientId", 2, bytes.transform((hex) => ({ hex }))],
  ["oscoreAeadAlgorithm", 3, integer],
  ["oscoreHmacAlgorithm", 4, integer],
  ["oscoreMasterSalt", 5, bytes.transform((hex) => ({ hex }))],
];

/** Reads one instance of Leshan's into resources by id. A field that is null is not written, as in Leshan. */
function instance(fields: readonly Field[]): z.ZodType<ResourceSettings> {
  const shape = Object.fromEntries(
    fields.map(([name, , schema, initial]) => [
      name,
      initial === undefined ? schema.nullish() : schema.nullable().default(initial),
    ]),
  );
  return z.strictObject(shape).transform((read) => {
    const settings: Record<string, ResourceSetting> = {};
    for (const [name, resourceId] of fields) {
      const value = read[name];
      if (value !== undefined && value !== null) settings[resourceId] = value as ResourceSetting;
    }
    return settings;
  });
}

const instances = (fields: readonly Field[]): z.ZodType<Record<string, ResourceSettings>> =>
  z
    .record(z.string().regex(/^\d{1,5}$/, "expected an instance id"), instance(fields))
    .nullish()
    .transform((map) => map ?? {});

const FORMAT_NAMES: Readonly<Record<number, string>> = Object.fromEntries(
  Object.entries(WRITE_FORMATS).map(([name, number]) => [number, name]),
);
const contentFormat = z.union([z.number(), z.object({ code: z.number() }).transform((format) => format.code)]).refine(
  (number) => FORMAT_NAMES[number] !== undefined,
  `expected one of ${Object.entries(FORMAT_NAMES)
    .map((entry) => entry.join(" "))
    .join(", ")}`,
);

const FIELDS = {
  autoIdForSecurityObject: z.boolean().default(false),
  contentFormat: contentFormat.nullish(),
  toDelete: z.array(z.string()).nullish(),
  servers: instances(SERVER),
  security: instances(SECURITY),
  acls: instances(ACL),
  oscore: instances(OSCORE),
};
const LeshanConfigSchema = z.strictObject(FIELDS);

/** Whether a parsed JSON file looks like one of Leshan's rather than a profile of Berth's. */
export function isLeshanConfig(input: unknown): boolean {
  return isOneConfig(input) || (isRecord(input) && Object.values(input).length > 0 && Object.values(input).every(isOneConfig));
}

function isOneConfig(input: unknown): boolean {
  return isRecord(input) && (isRecord(input.security) || "toDelete" in input || "autoIdForSecurityObject" in input);
}

function isRecord(input: unknown): input is Readonly<Record<string, unknown>> {
  return typeof input === "object" && input !== null && !Array.isArray(input);
}

/**
 * Reads the JSON of Leshan's bootstrap server: a `BootstrapConfig`, or its store, a map of endpoint name to
 * `BootstrapConfig`. Same resources, same order, same instance ids, but that nothing except a bootstrap account is ever
 * written over a client's bootstrap account. With `autoIdForSecurityObject` servers get the ids that are free in the client.
 * Placeholders work in its texts (`uri`, `sni`) as in a profile of Berth's.
 * @throws InvalidInput with every problem and the path of each; never with a key
 */
export function parseLeshanConfig(input: unknown, what = "Leshan configuration"): LeshanProfiles {
  if (isOneConfig(input)) return { kind: "single", profile: toProfile(input, what) };
  if (!isRecord(input)) throw new InvalidInput(`${what}: expected an object`);
  const entries = Object.entries(input).map(
    ([endpoint, config]) => [endpoint, toProfile(config, `${what}: ${endpoint}`)] as const,
  );
  const problems = sharedIdentities(entries);
  if (problems.length > 0) throw new InvalidInput(`${what}: ${problems.join("; ")}`);
  return { kind: "by-endpoint", profiles: new Map(entries) };
}

/** Two devices cannot come to one bootstrap server with the same PSK identity. */
function sharedIdentities(entries: readonly (readonly [string, BootstrapProfile])[]): string[] {
  const seen = new Map<string, string>();
  return entries.flatMap(([endpoint, profile]) => {
    const key = bootstrapIdentity(profile);
    if (key === undefined) return [];
    const other = seen.get(key);
    seen.set(key, endpoint);
    return other === undefined ? [] : [`${endpoint}: has the PSK identity of ${other} for the same bootstrap server`];
  });
}

function bootstrapIdentity({ bootstrapServer, objects }: BootstrapProfile): string | undefined {
  if (bootstrapServer?.security.mode === "psk")
    return JSON.stringify([bootstrapServer.uri, toHex(utf8(bootstrapServer.security.identity))]);
  const account = Object.entries(objects)
    .filter(([path]) => path.startsWith("/0/"))
    .map(([, settings]) => settings as ResourceSettings)
    .find((settings) => settings[1] === true && settings[2] === SECURITY_MODE.psk);
  return account === undefined ? undefined : JSON.stringify([account[0], account[3]]);
}

function toProfile(input: unknown, what: string): BootstrapProfile {
  const config = parseWith(LeshanConfigSchema, input, what, ["secretKey", "smsBindingKeySecret", "oscoreMasterSecret"]);
  const { autoIdForSecurityObject, contentFormat: format } = config;
  const named = autoIdForSecurityObject ? nameServers(config) : { ...config, accounts: {} };
  const objects: Record<string, ResourceSettings> = {};
  for (const [objectId, map] of [
    [0, named.security],
    [1, named.servers],
    [2, config.acls],
    [21, config.oscore],
  ] as const) {
    for (const [id, settings] of Object.entries(map)) objects[`/${objectId}/${id}`] = settings;
  }
  const profile = {
    delete: config.toDelete ?? [],
    ...(format === null || format === undefined ? {} : { contentFormat: FORMAT_NAMES[format] }),
    ...named.accounts,
    objects,
  };
  return parseProfile(profile, what);
}
