import { z } from "zod";
import type { DeviceInput } from "../../control/index.ts";
import type { RejectedEntry } from "./source.ts";

/** What a device gets that comes from a source. */
export interface SourceTerms {
  readonly profile?: string | undefined;
  readonly group?: string | undefined;
}

interface PskDetails {
  readonly identity: string;
  readonly key: string;
}

/** A client as Leshan's API says it: in `tls` since 2.0.0-M6, in `psk`, `rpk` and `x509` before. */
interface Client {
  readonly endpoint: string;
  readonly tls?: { readonly mode: string; readonly details?: unknown } | null | undefined;
  readonly psk?: unknown;
  readonly rpk?: unknown;
  readonly x509?: unknown;
}

const ClientSchema: z.ZodType<Client> = z.looseObject({
  endpoint: z.string().min(1),
  tls: z.looseObject({ mode: z.string(), details: z.unknown().optional() }).nullish(),
  psk: z.unknown().optional(),
  rpk: z.unknown().optional(),
  x509: z.unknown().optional(),
});
const PskSchema: z.ZodType<PskDetails> = z.looseObject({ identity: z.string().min(1), key: z.string().min(1) });
const RpkSchema: z.ZodType<{ readonly key: string }> = z.looseObject({ key: z.string().min(1) });

/** Reads one client of a Leshan server. What is wrong with its keys themselves is found when it is imported. */
export function readLeshanClient(value: unknown, terms: SourceTerms): DeviceInput | RejectedEntry {
  const parsed = ClientSchema.safeParse(value);
  if (!parsed.success) return { ...nameOf(value), reason: "it is no client with an endpoint name" };
  const { endpoint, tls, psk, rpk, x509 } = parsed.data;
  const mode = tls?.mode.toLowerCase() ?? (psk != null ? "psk" : rpk != null ? "rpk" : x509 === true ? "x509" : undefined);
  switch (mode) {
    case "psk": {
      const details = PskSchema.safeParse(tls?.details ?? psk);
      if (!details.success) return { endpoint, reason: "psk: identity or key is missing, or no text" };
      const { identity, key } = details.data;
      return { endpoint, mode: "psk", ...(identity === endpoint ? {} : { identity }), psk: key, ...terms };
    }
    case "rpk": {
      const details = RpkSchema.safeParse(tls?.details ?? rpk);
      if (!details.success) return { endpoint, reason: "rpk: its key is not given as one SubjectPublicKeyInfo in hex" };
      return { endpoint, mode: "rpk", publicKey: details.data.key, ...terms };
    }
    case "x509":
      return { endpoint, reason: "x509: a certificate is no secret that names could be made of; import it with a secret" };
    default:
      return { endpoint, reason: "it has neither a pre-shared key nor a raw public key" };
  }
}

/** The name of something that is no client otherwise. */
function nameOf(value: unknown): { endpoint?: string } {
  const named = z.looseObject({ endpoint: z.string().min(1) }).safeParse(value);
  return named.success ? { endpoint: named.data.endpoint } : {};
}
