import { z } from "zod";
import { type SecurityMode, SecurityModeSchema } from "./security-mode.ts";

/**
 * A device an instance is to serve: all an instance needs to know of it, so that it can run with nothing but
 * what the balancer hands it (S4). Holds secrets: it travels only over the authenticated control API.
 */
export interface Assignment {
  /** LwM2M endpoint client name. */
  readonly endpoint: string;
  readonly mode: SecurityMode;
  /**
   * What the handshake has to prove: the PSK identity; of a raw public key the SHA-256 of its SubjectPublicKeyInfo, in
   * lower-case hex. Where a certificate or nothing speaks for the device it is the endpoint client name.
   */
  readonly identity: string;
  /** Pre-shared key, hex; of mode `psk`, and of no other. */
  readonly psk?: string | undefined;
  /** The secret names are made of, hex; absent where it is the PSK (N7), so never absent in the other modes. */
  readonly secret?: string | undefined;
  /** Name of the bootstrap profile. */
  readonly profile: string;
  /** What the profile's placeholders `{attributes.NAME}` stand for. */
  readonly attributes: Readonly<Record<string, string>>;
  /** For recipes with a counter: the lowest one whose name is live, 0 if absent. Those up to the look-ahead beyond it are live too. */
  readonly counter?: number | undefined;
}

const hex: z.ZodType<string> = z.string().regex(/^([0-9a-f]{2})+$/, "must be lower-case hex");

const AssignmentSchema: z.ZodType<Assignment> = z
  .strictObject({
    endpoint: z.string().min(1).max(255),
    mode: SecurityModeSchema,
    identity: z.string().min(1).max(255),
    psk: hex.optional(),
    secret: hex.optional(),
    profile: z.string(),
    attributes: z.record(z.string(), z.string()),
    counter: z.number().int().min(0).optional(),
  })
  .refine(({ mode, psk }) => (psk !== undefined) === (mode === "psk"), "a device has a psk if its mode is psk, and only then")
  .refine(({ psk, secret }) => (psk ?? secret) !== undefined, "a device without a psk needs a secret for its names");

/**
 * One line of an instance's assignment stream (NDJSON). The stream opens with `fleet`, all profiles and all
 * assignments, then says `synced`, and from then on carries only what changes.
 */
export type AssignmentEvent =
  | {
      readonly type: "fleet";
      /** The static bootstrap URI and the recipe, as data; parsed by `naming/`. */
      readonly uri: string;
      readonly recipe: unknown;
      /** How far a device's clock may be off, ms: a name counts for this long around its epoch (B10). */
      readonly skew: number;
    }
  | { readonly type: "profile"; readonly name: string; readonly profile: unknown }
  | { readonly type: "assign"; readonly assignments: readonly Assignment[] }
  | { readonly type: "revoke"; readonly endpoints: readonly string[] }
  | { readonly type: "synced" }
  /** Nothing new; says that the stream is alive. */
  | { readonly type: "ping" };

export const AssignmentEventSchema: z.ZodType<AssignmentEvent> = z.discriminatedUnion("type", [
  z.strictObject({
    type: z.literal("fleet"),
    uri: z.string(),
    recipe: z.unknown(),
    skew: z.number().min(0),
  }),
  z.strictObject({ type: z.literal("profile"), name: z.string(), profile: z.unknown() }),
  z.strictObject({ type: z.literal("assign"), assignments: z.array(AssignmentSchema) }),
  z.strictObject({ type: z.literal("revoke"), endpoints: z.array(z.string()) }),
  z.strictObject({ type: z.literal("synced") }),
  z.strictObject({ type: z.literal("ping") }),
]) as z.ZodType<AssignmentEvent>;

/**
 * An instance met a device it was not told of: by its PSK identity or the SHA-256 of its raw public key, in lower-case
 * hex, or else by its endpoint client name.
 */
export interface Lookup {
  readonly identity?: string | undefined;
  readonly endpoint?: string | undefined;
}

export const LookupSchema: z.ZodType<Lookup> = z.strictObject({
  identity: z.string().min(1).max(128).optional(),
  endpoint: z.string().min(1).max(255).optional(),
});

/** Why an instance may not serve a device it asked for. */
export type LookupRefusal = "unknown" | "completed" | "elsewhere";

/** The answer to a {@link Lookup}: the assignment, or why there is none. */
export type LookupReply = { readonly assignment: Assignment } | { readonly refused: LookupRefusal };

export const LookupReplySchema: z.ZodType<LookupReply> = z.union([
  z.strictObject({ assignment: AssignmentSchema }),
  z.strictObject({ refused: z.enum(["unknown", "completed", "elsewhere"]) }),
]);
