import { z } from "zod";
import { DECLARED_FIELDS, type Declared } from "../control/index.ts";
import { parsePrefix } from "../dns/index.ts";
import type { Milliseconds } from "../lib/clock.ts";
import { errorText } from "../lib/errors.ts";
import { type AllocationConfig, AllocationSchema } from "./allocation-schema.ts";
import { type DnsConfig, DnsSchema } from "./dns-schema.ts";
import { duration } from "./duration-schema.ts";
import { type Endpoint, endpoint } from "./endpoint-schema.ts";

/** The PEM files instances prove themselves with, and those that say whom they trust. */
export interface DtlsFiles {
  readonly certificate?: string | undefined;
  readonly key?: string | undefined;
  readonly clientCa?: string | undefined;
  readonly crl?: string | undefined;
  readonly rawPublicKey?: string | undefined;
}

/** Files by which a server of another party is trusted, and knows us. */
export interface HttpCredentials {
  readonly token?: string | undefined;
  readonly ca?: string | undefined;
  readonly certificate?: string | undefined;
  readonly key?: string | undefined;
}

/** Where an LwM2M Server keeps the credentials of its clients. */
export interface SecurityStoreConfig extends HttpCredentials {
  readonly url: string;
}

/** Where the balancer gets devices and their secrets from. */
export interface SourceConfig extends HttpCredentials {
  readonly kind: "leshan";
  readonly url: string;
  readonly every: Milliseconds;
  /** What its devices get. */
  readonly profile?: string | undefined;
  readonly group?: string | undefined;
}

/** An instance that `berth serve` runs. */
export interface LocalInstance extends Declared {
  readonly id: string;
  /** One of a family at most. */
  readonly address: readonly string[];
  /** Instead of an IPv6 address: a prefix whose addresses are all its own. */
  readonly prefix?: string | undefined;
  /** Serve `coap:` without security too. */
  readonly nosec?: boolean | undefined;
}

/** What `berth.yaml` says, with defaults filled in; `docs/configuration.md` explains each key. Paths are as written. */
export interface ConfigFile {
  readonly uri: string;
  readonly recipe: unknown;
  readonly zone?: string | undefined;
  readonly profiles: Readonly<Record<string, string>>;
  /** Folder of OMA XML files. */
  readonly objects?: string | undefined;
  readonly dtls: DtlsFiles;
  readonly admission: { readonly handshakes: number | "auto"; readonly sessions: number | "auto" };
  readonly securityStores: Readonly<Record<string, SecurityStoreConfig>>;
  readonly sources: Readonly<Record<string, SourceConfig>>;
  readonly allocation: AllocationConfig;
  readonly dns: DnsConfig;
  readonly epochs: {
    readonly skew: Milliseconds;
    readonly lead?: Milliseconds | undefined;
    readonly grace?: Milliseconds | undefined;
  };
  readonly rotation: { readonly every?: Milliseconds | undefined; readonly onJoin: boolean };
  readonly rearm: {
    readonly policy: "manual" | "always";
    readonly rules: readonly { readonly group?: string | undefined; readonly after: Milliseconds }[];
  };
  readonly session: { readonly deadline: Milliseconds };
  readonly instances: {
    readonly heartbeat: Milliseconds;
    readonly lostAfter: Milliseconds;
    /** When an instance gets its share that was lost and has proven itself; if absent at an epoch, where there are any. */
    readonly onReturn?: "at-epoch" | "at-once" | undefined;
    readonly local: readonly LocalInstance[];
  };
  readonly control: {
    readonly listen: Endpoint;
    readonly url?: string | undefined;
    readonly operatorToken?: string | undefined;
    readonly instanceToken?: string | undefined;
    readonly tls?: { readonly cert: string; readonly key: string } | undefined;
    readonly ca?: string | undefined;
  };
  readonly storage: {
    readonly folder?: string | undefined;
    readonly postgres?: string | undefined;
    readonly key?: string | undefined;
  };
  readonly log: { readonly level: "debug" | "info" | "warn" | "error" | "silent" };
}

const address: z.ZodType<string> = z.union([z.ipv4(), z.ipv6()], { error: "is no IPv4 or IPv6 address" });
const text: z.ZodType<string> = z.string().min(1);
/** `auto` or a number, with an error that says both. */
const budget = (number: z.ZodType<number>, what: string): z.ZodType<number | "auto"> =>
  z.union([z.literal("auto"), number], { error: `is neither auto nor ${what}` });

const dtls: z.ZodType<DtlsFiles> = z
  .strictObject({
    certificate: text.optional(),
    key: text.optional(),
    clientCa: text.optional(),
    crl: text.optional(),
    rawPublicKey: text.optional(),
  })
  .superRefine(({ rawPublicKey: _, ...x509 }, context) => {
    const given = Object.keys(x509).filter((key) => x509[key as keyof typeof x509] !== undefined);
    const missing = (["certificate", "key", "clientCa"] as const).filter((key) => x509[key] === undefined);
    if (given.length === 0 || missing.length === 0) return;
    context.addIssue(`${given.join(", ")} ${given.length === 1 ? "is" : "are"} of no use without ${missing.join(" and ")}`);
  });

const credentials = {
  token: text.optional(),
  ca: text.optional(),
  certificate: text.optional(),
  key: text.optional(),
} as const;
const isWhole = ({ certificate, key }: HttpCredentials): boolean => (certificate === undefined) === (key === undefined);
const NOT_WHOLE = "give certificate and key, or neither";

const securityStore: z.ZodType<SecurityStoreConfig> = z.strictObject({ url: text, ...credentials }).refine(isWhole, NOT_WHOLE);

const local: z.ZodType<LocalInstance> = z
  .strictObject({
    id: text,
    address: z
      .union([address.transform((one) => [one]), z.array(address)], { error: "is no IPv4 or IPv6 address, nor a list of them" })
      .default([]),
    prefix: text
      .superRefine((written, context) => {
        try {
          parsePrefix(written);
        } catch (error) {
          // It begins with the value, which is given at the end.
          context.addIssue(errorText(error).replace(/^"[^"]*":? /, ""));
        }
      })
      .optional(),
    nosec: z.boolean().optional(),
    ...DECLARED_FIELDS,
  })
  .refine(({ address, prefix }) => address.length > 0 || prefix !== undefined, "give an address, or a prefix");

const source: z.ZodType<SourceConfig> = z
  .strictObject({
    kind: z.literal("leshan").default("leshan"),
    url: text,
    ...credentials,
    every: duration.refine((every) => every >= 1000, "is too often; at least 1s").default(30_000),
    profile: text.optional(),
    group: text.optional(),
  })
  .refine(isWhole, NOT_WHOLE)
  .refine(
    ({ url, token, certificate }) => !/^https:/i.test(url) || token !== undefined || certificate !== undefined,
    "give a token, or certificate and key: a server that gives devices' keys has to know who asks",
  );

/** Schema of `berth.yaml`. */
export const ConfigSchema: z.ZodType<ConfigFile> = z.strictObject({
  uri: text,
  recipe: z.unknown().default("berth-1"),
  zone: text.optional(),
  profiles: z.record(z.string(), text).default({}),
  objects: text.optional(),
  dtls: dtls.prefault({}),
  admission: z
    .strictObject({
      handshakes: budget(z.number().positive(), "a number of handshakes a second").default("auto"),
      sessions: budget(z.number().int().min(1), "a whole number of sessions").default("auto"),
    })
    .prefault({}),
  securityStores: z.record(z.string(), securityStore).default({}),
  sources: z.record(z.string(), source).default({}),
  allocation: AllocationSchema,
  dns: DnsSchema,
  epochs: z.strictObject({ skew: duration.default(300_000), lead: duration.optional(), grace: duration.optional() }).prefault({}),
  rotation: z.strictObject({ every: duration.optional(), onJoin: z.boolean().default(false) }).prefault({}),
  rearm: z
    .strictObject({
      policy: z.enum(["manual", "always"]).default("manual"),
      rules: z.array(z.strictObject({ group: text.optional(), after: duration })).default([]),
    })
    .prefault({}),
  session: z.strictObject({ deadline: duration.default(60_000) }).prefault({}),
  instances: z
    .strictObject({
      heartbeat: duration.default(1000),
      lostAfter: duration.default(5000),
      onReturn: z.enum(["at-epoch", "at-once"]).optional(),
      local: z.array(local).default([]),
    })
    .prefault({}),
  control: z
    .strictObject({
      listen: endpoint.default({ address: "127.0.0.1", port: 8690 }),
      url: z.url().optional(),
      operatorToken: text.optional(),
      instanceToken: text.optional(),
      tls: z.strictObject({ cert: text, key: text }).optional(),
      ca: text.optional(),
    })
    .prefault({}),
  storage: z.strictObject({ folder: text.optional(), postgres: text.optional(), key: text.optional() }).prefault({}),
  log: z.strictObject({ level: z.enum(["debug", "info", "warn", "error", "silent"]).default("info") }).prefault({}),
}) as z.ZodType<ConfigFile>;
