import { z } from "zod";
import { parseDuration } from "../lib/duration.ts";
import { InvalidInput } from "../lib/errors.ts";
import { parseWith } from "../lib/schema.ts";
import type { WriteFormatName } from "./content-format.ts";
import { checkProfile } from "./profile-check.ts";

/**
 * What a bootstrap does to a device, for any number of devices: `docs/profiles.md` explains it to users. It is
 * plain data; written as JSON and read again by {@link parseProfile} it stays the same.
 */
export interface BootstrapProfile {
  /** `/`, Objects and Object Instances to delete before anything is written. */
  readonly delete: readonly string[];
  /** Of all Bootstrap-Writes. Absent: what the client prefers, else TLV. */
  readonly contentFormat?: WriteFormatName | undefined;
  readonly servers: readonly ServerAccount[];
  /** Any other Object Instances, by path. */
  readonly objects: Readonly<Record<string, ResourceSettings>>;
}

/** An LwM2M Server Account: an instance of /0 and one of /1 with the same instance id. */
export interface ServerAccount {
  readonly uri: string;
  readonly shortServerId: number;
  /** Instance id in /0 and /1. Absent: the first free one from 10 on, out of the way of clients' bootstrap accounts. */
  readonly instance?: number | undefined;
  /** Registration lifetime in seconds. */
  readonly lifetime: number;
  readonly binding: string;
  /** Whether notifications are kept while the server is disabled or the device offline (/1/x/6). */
  readonly notificationStoring: boolean;
  readonly security: SecuritySettings;
  /** Further resources of the instance of /0, by id. */
  readonly securityResources: ResourceSettings;
  /** Further resources of the instance of /1, by id. */
  readonly serverResources: ResourceSettings;
}

/** `identity` is text and `key` hex, once their placeholders are filled in. */
export type SecuritySettings =
  | { readonly mode: "nosec" }
  | { readonly mode: "psk"; readonly identity: string; readonly key: string };

/** Resources by id. */
export type ResourceSettings = Readonly<Record<string, ResourceSetting>>;

/** One value, or the values of a multiple resource by resource instance id. */
export type ResourceSetting = ValueSetting | { readonly [resourceInstanceId: string]: ValueSetting };

/** A value of the type the object's definition says; `{ type: value }` where there is none, or to write an opaque as text. */
export type ValueSetting = PlainValue | { readonly [type: string]: PlainValue };

export type PlainValue = string | number | boolean;

const PATH_OF_INSTANCE = /^\/(0|[1-9]\d{0,4})\/(0|[1-9]\d{0,4})$/;
const RESOURCE_ID = /^(0|[1-9]\d{0,4})$/;
const plainValue = z.union([z.string(), z.number(), z.boolean()]);
const valueSetting = z.union([plainValue, z.record(z.string(), plainValue)]);
const resourceSettings: z.ZodType<ResourceSettings> = z.record(
  z.string().regex(RESOURCE_ID),
  z.union([valueSetting, z.record(z.string(), valueSetting)], {
    error: "expected a value, { TYPE: value }, or values by resource instance id",
  }),
  { error: (issue) => (issue.code === "invalid_key" ? "a resource id is a number from 0 to 65535" : undefined) },
);

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

const BootstrapProfileSchema: z.ZodType<BootstrapProfile> = z.strictObject({
  delete: z.array(z.string()).default(["/0", "/1"]),
  contentFormat: z.enum(["tlv", "senml-json", "senml-cbor"]).optional(),
  servers: z
    .array(
      z.strictObject({
        uri: z.string().min(1),
        shortServerId: z.number().int().min(1).max(65534),
        instance: z.number().int().min(0).max(65534).optional(),
        lifetime: lifetime.default(86_400),
        binding: z.string().min(1).default("U"),
        notificationStoring: z.boolean().default(true),
        security: z.discriminatedUnion("mode", [
          z.strictObject({ mode: z.literal("nosec") }),
          z.strictObject({ mode: z.literal("psk"), identity: z.string().min(1), key: z.string().min(1) }),
        ]),
        securityResources: resourceSettings.default({}),
        serverResources: resourceSettings.default({}),
      }),
    )
    .default([]),
  objects: z
    .record(z.string().regex(PATH_OF_INSTANCE), resourceSettings, {
      error: (issue) => (issue.code === "invalid_key" ? "expected the path of an object instance, such as /2/0" : undefined),
    })
    .default({}),
});

/**
 * Reads a profile from what a YAML or JSON parser returned, and checks that a device could use what it writes.
 * @param what what is parsed, as the reader knows it, for errors
 * @throws InvalidInput with every problem and the path of each; never with a key
 */
export function parseProfile(input: unknown, what = "profile"): BootstrapProfile {
  return accept(parseWith(BootstrapProfileSchema, input, what), what);
}

/** `profile`, if {@link checkProfile} finds no problem. */
export function accept(profile: BootstrapProfile, what: string): BootstrapProfile {
  const { problems } = checkProfile(profile);
  if (problems.length > 0) throw new InvalidInput(`${what}: ${problems.join("; ")}`);
  return profile;
}

/** What is allowed in a profile but known to trouble some clients, one line each. */
export function profileWarnings(profile: BootstrapProfile): readonly string[] {
  return checkProfile(profile).warnings;
}
