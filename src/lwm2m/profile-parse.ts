import { z } from "zod";
import { parseDuration } from "../lib/duration.ts";
import { InvalidInput } from "../lib/errors.ts";
import { parseWith } from "../lib/schema.ts";
import { WRITE_FORMATS, type WriteFormatName } from "./content-format.ts";
import { CORE_OBJECTS, type ObjectDefinitions } from "./objects.ts";
import type {
  AccountSecurity,
  BootstrapAccount,
  BootstrapProfile,
  InstanceSettings,
  ObjectSetting,
  OscoreSettings,
  ResourceSetting,
  ResourceSettings,
  ServerAccount,
  ServerSecurity,
} from "./profile.ts";
import { checkProfile } from "./profile-check.ts";

/** Fields whose value no error repeats, beside those that are secret everywhere. */
const SECRET_FIELDS = ["key", "masterSecret", "masterSalt", "nameSecret", "secret", "psk", "token"];

const NUMBER = /^(0|[1-9]\d{0,4})$/;
const plainValue = z.union([z.string(), z.number(), z.boolean()]);
const valueSetting = z.union([plainValue, z.record(z.string(), plainValue)]);
const resourceSetting: z.ZodType<ResourceSetting> = z.union([valueSetting, z.record(z.string(), valueSetting)], {
  error: "expected a value, { TYPE: value }, or values by resource instance id",
});
const resourceSettings: z.ZodType<ResourceSettings> = z.record(z.string().regex(NUMBER), resourceSetting, {
  error: (issue) => (issue.code === "invalid_key" ? "a resource id is a number from 0 to 65535" : undefined),
});
const instanceSettings: z.ZodType<InstanceSettings> = z.record(z.string().regex(NUMBER), resourceSettings, {
  error: (issue) => (issue.code === "invalid_key" ? "an object instance id is a number from 0 to 65534" : undefined),
});

/** What the value of a key of `objects` is, by how many ids the key has. */
const BY_DEPTH: readonly (z.ZodType<ObjectSetting> | undefined)[] = [
  undefined,
  instanceSettings,
  resourceSettings,
  resourceSetting,
];
const PATH = /^(\/(0|[1-9]\d{0,4})){1,3}$/;
const objects: z.ZodType<Readonly<Record<string, ObjectSetting>>> = z
  .record(z.string(), z.unknown())
  .transform((input, context): Readonly<Record<string, ObjectSetting>> => {
    const read: Record<string, ObjectSetting> = {};
    for (const [path, setting] of Object.entries(input)) {
      const schema = PATH.test(path) ? BY_DEPTH[path.split("/").length - 1] : undefined;
      const result = schema?.safeParse(setting);
      if (result?.success === true) read[path] = result.data;
      else if (result === undefined) {
        const message = "expected the path of an object, an object instance or a resource, such as /2, /2/0 or /3/0/14";
        context.addIssue({ code: "custom", message, path: [path] });
      }
      for (const issue of result?.error?.issues ?? []) {
        context.addIssue({ code: "custom", message: issue.message, path: [path, ...issue.path] });
      }
    }
    return read;
  });

const lifetime = z
  .union([z.number().int().min(1), z.string()], { error: "expected seconds, or a span such as 1d" })
  .transform((value, context) => {
    if (typeof value === "number") return value;
    try {
      return Math.round(parseDuration(value, "lifetime") / 1000);
    } catch (error) {
      context.addIssue({ code: "custom", message: error instanceof InvalidInput ? error.message : "not a span" });
      return z.NEVER;
    }
  });

const text = z.string().min(1);
const instance = z.number().int().min(0).max(65534).optional();
const oscore: z.ZodType<OscoreSettings | undefined> = z
  .strictObject({
    masterSecret: text,
    senderId: z.string(),
    recipientId: z.string(),
    aead: z.number().int().optional(),
    hmac: z.number().int().optional(),
    masterSalt: z.string().optional(),
    idContext: z.string().optional(),
  })
  .optional();
const ACCOUNT_MODES = [
  z.strictObject({ mode: z.literal("nosec"), oscore }),
  z.strictObject({ mode: z.literal("psk"), identity: text, key: text, oscore }),
  z.strictObject({ mode: z.literal("x509"), certificate: text, key: text, serverCertificate: text, oscore }),
  z.strictObject({ mode: z.literal("rpk"), publicKey: text, key: text, serverPublicKey: text, oscore }),
] as const;
const accountSecurity: z.ZodType<AccountSecurity> = z.discriminatedUnion("mode", ACCOUNT_MODES);
const freshPsk = z.strictObject({
  mode: z.literal("fresh-psk"),
  identity: text,
  // tinydtls takes no more than 16 bytes, and LwM2M recommends no fewer.
  bytes: z.number().int().min(8).max(64).default(16),
  securityStore: text,
  oscore,
});
const serverSecurity: z.ZodType<ServerSecurity> = z.discriminatedUnion("mode", [...ACCOUNT_MODES, freshPsk]);

const server: z.ZodType<ServerAccount> = z.strictObject({
  uri: text,
  shortServerId: z.number().int().min(1).max(65534),
  instance,
  lifetime: lifetime.default(86_400),
  binding: text.regex(/^[UMHTSN]+Q?$/, "expected letters of U, M, H, T, S, N, and Q last").default("U"),
  notificationStoring: z.boolean().default(true),
  security: serverSecurity,
  securityResources: resourceSettings.default({}),
  serverResources: resourceSettings.default({}),
});

const bootstrapServer: z.ZodType<BootstrapAccount> = z.strictObject({
  uri: text,
  security: accountSecurity,
  instance,
  securityResources: resourceSettings.default({}),
  recipe: z.unknown().optional(),
  nameSecret: text.optional(),
});

const formatNames = Object.keys(WRITE_FORMATS) as [WriteFormatName, ...WriteFormatName[]];

const BootstrapProfileSchema: z.ZodType<BootstrapProfile> = z.strictObject({
  discover: z.boolean().default(true),
  delete: z.array(z.string()).default(["/0", "/1"]),
  contentFormat: z.enum(formatNames).optional(),
  resourceFormat: z.enum(["plain", "cbor"]).optional(),
  servers: z.array(server).default([]),
  bootstrapServer: bootstrapServer.optional(),
  objects: objects.default({}),
});

/**
 * Reads a profile from what a YAML or JSON parser returned, and checks that a device could use what it writes.
 * @param what what is parsed, as the reader knows it, for errors
 * @param definitions of the objects it may write with types and ranges; where it is used again without them it must
 * have gone through `resolveProfile` first
 * @throws InvalidInput with every problem and the path of each; never with a key
 */
export function parseProfile(input: unknown, what = "profile", definitions: ObjectDefinitions = CORE_OBJECTS): BootstrapProfile {
  return accept(parseWith(BootstrapProfileSchema, input, what, SECRET_FIELDS), what, definitions);
}

/** `profile`, if {@link checkProfile} finds no problem. @throws InvalidInput */
function accept(profile: BootstrapProfile, what: string, definitions: ObjectDefinitions = CORE_OBJECTS): BootstrapProfile {
  const { problems } = checkProfile(profile, definitions);
  if (problems.length > 0) throw new InvalidInput(`${what}: ${problems.join("; ")}`);
  return profile;
}

/** What is allowed in a profile but known to trouble some clients, one line each. */
export function profileWarnings(profile: BootstrapProfile, definitions: ObjectDefinitions = CORE_OBJECTS): readonly string[] {
  return checkProfile(profile, definitions).warnings;
}
