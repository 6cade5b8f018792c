import { z } from "zod";
import type { RegistryKind, TsigAlgorithm } from "../dns/index.ts";
import type { Milliseconds } from "../lib/clock.ts";
import type { NameserverLimits } from "../nameserver/index.ts";
import { duration } from "./duration-schema.ts";
import { type Endpoint, endpoint } from "./endpoint-schema.ts";
import { NameserverLimitsSchema } from "./nameserver-limits-schema.ts";

/** A key shared with a DNS server; its name stands before it. */
export interface TsigKeyConfig {
  readonly algorithm: TsigAlgorithm;
  readonly file: string;
}

/** Section `dns` of the configuration. */
export interface DnsConfig {
  readonly listen: readonly Endpoint[];
  readonly ttl: Milliseconds;
  readonly negativeTtl: Milliseconds;
  readonly nameservers: readonly {
    readonly host: string;
    readonly ipv4?: string | undefined;
    readonly ipv6?: string | undefined;
  }[];
  readonly registry: RegistryKind;
  readonly keys: Readonly<Record<string, TsigKeyConfig>>;
  /** The primary that takes updates, for registry `rfc2136`. */
  readonly update?: { readonly server: Endpoint; readonly key: string; readonly owner?: string | undefined } | undefined;
  /** The secondaries, for registry `primary`. */
  readonly transfer?: { readonly key: string; readonly secondaries: readonly Endpoint[] } | undefined;
  /** The servers that devices' resolvers ask; they are looked at after each change. */
  readonly observe: readonly Endpoint[];
  /** The share (0-1) of live names that may change at one stroke outside an epoch's change. */
  readonly brake: number;
  /** Threads of the nameserver that answer over UDP. */
  readonly threads: number;
  /** What the nameserver grants its clients. */
  readonly limits: NameserverLimits;
}

const text: z.ZodType<string> = z.string().min(1);

const share: z.ZodType<number> = z.string().transform((written, context) => {
  const percent = Number(/^(\d+(?:\.\d+)?)%$/.exec(written)?.[1] ?? Number.NaN);
  if (percent >= 0 && percent <= 100) return percent / 100;
  context.addIssue("is no share; write for example 30%");
  return z.NEVER;
});

const tsigKey: z.ZodType<TsigKeyConfig> = z.strictObject({
  algorithm: z.enum(["hmac-sha256", "hmac-sha512"]).default("hmac-sha256"),
  file: text,
});

/** Schema of section `dns`. */
export const DnsSchema: z.ZodType<DnsConfig> = z
  .strictObject({
    listen: z
      .array(endpoint)
      .min(1)
      .default([{ address: "127.0.0.1", port: 8653 }]),
    ttl: duration.default(30_000),
    negativeTtl: duration.default(30_000),
    nameservers: z
      .array(z.strictObject({ host: text, ipv4: z.ipv4().optional(), ipv6: z.ipv6().optional() }))
      .max(13)
      .default([]),
    registry: z.enum(["embedded", "rfc2136", "primary"]).default("embedded"),
    keys: z.record(z.string(), tsigKey).default({}),
    update: z
      .strictObject({
        server: endpoint,
        key: text,
        owner: z
          .string()
          .regex(/^[A-Za-z0-9._-]{1,63}$/, "is not 1 to 63 letters, digits, dots, dashes or underscores")
          .optional(),
      })
      .optional(),
    transfer: z.strictObject({ key: text, secondaries: z.array(endpoint).default([]) }).optional(),
    observe: z.array(endpoint).default([]),
    brake: share.default(0.3),
    threads: z.number().int().min(1).max(64).default(1),
    limits: NameserverLimitsSchema.prefault({}),
  })
  .superRefine(({ registry, keys, update, transfer, observe, threads }, context) => {
    if (threads > 1 && registry === "primary") context.addIssue("threads: a hidden primary answers from one thread");
    if (registry === "embedded" && observe.length > 0) {
      context.addIssue("dns.observe is of no use with registry embedded: what is decided is in the nameserver at once");
    }
    const sections = { update: ["rfc2136", update], transfer: ["primary", transfer] } as const;
    for (const [name, [kind, section]] of Object.entries(sections)) {
      if (registry === kind && section === undefined) context.addIssue(`registry ${kind} needs dns.${name}`);
      if (registry !== kind && section !== undefined) context.addIssue(`dns.${name} is of no use with registry ${registry}`);
      if (section !== undefined && keys[section.key] === undefined) {
        context.addIssue(`${name}.key: dns.keys has no "${section.key}"`);
      }
    }
  })
  .prefault({});
