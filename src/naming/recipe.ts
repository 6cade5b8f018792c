import type { TokenEncoding } from "./encoding.ts";
import type { FunctionOptions } from "./functions/function.ts";

/** Where in the static URI something goes (N5). Labels are counted from 0, from the left. */
export type Place =
  /** Into a label of the host: before its first character, behind its last, or before the character at an offset. */
  | { readonly in: "label"; readonly label: number; readonly at: "start" | "end" | number }
  /** A label of its own, before the label with this number; the number of labels puts it last. */
  | { readonly in: "own-label"; readonly before: number }
  /** A last segment of the path. */
  | { readonly in: "path" }
  /** A last item `key=...` of the query. */
  | { readonly in: "query"; readonly key: string };

/** How a parameter is written in the URI: as it is (percent-encoded outside the host), or the hex or base32 of its bytes. */
export type ParameterEncoding = "plain" | "hex" | "base32";

interface ParameterUse {
  /** Whether it is part of the message that is hashed. */
  readonly hashed: boolean;
  /** Puts it into the URI beside the token (N6). */
  readonly inUri?: { readonly place: Place; readonly encoding: ParameterEncoding };
}

/** One parameter (N3). `time`: `unit` in seconds. `random`: `length` in bytes. */
export type Parameter =
  | ({ readonly kind: "endpoint" } & ParameterUse)
  | ({ readonly kind: "time"; readonly unit: number; readonly round: "nearest" | "down" } & ParameterUse)
  | ({ readonly kind: "counter" } & ParameterUse)
  | ({ readonly kind: "random"; readonly length: number } & ParameterUse);

export type ParameterKind = Parameter["kind"];

/** How a hash function's input is made of secret and parameters (N2). Offsets in bytes. */
export type Combine =
  | { readonly order: "secret-first" }
  | { readonly order: "parameters-first" }
  | { readonly order: "parameters-in-secret"; readonly offset: number }
  | { readonly order: "secret-in-parameters"; readonly offset: number };

/** Which characters of the encoded derivative are the token (N4): exactly one of the four ways to say it. */
export interface TokenSelection {
  readonly encoding: TokenEncoding;
  readonly first?: number;
  readonly last?: number;
  readonly all?: true;
  /** Counted from 0, in the order in which they are to stand. */
  readonly positions?: readonly number[];
}

/** The logic by which device, balancer and instance compute a temporary URI: data, the same everywhere (N8). */
export interface Recipe {
  readonly version: 1;
  /** For people. */
  readonly name?: string;
  /** Derives a key for names from the secret by HKDF-SHA-256 first, so that names and keys never expose the secret (N9). */
  readonly nameKey?: { readonly info: string; readonly salt?: string; readonly length: number };
  /** One of the registry, such as `hmac-sha-256` (N1). */
  readonly function: string;
  readonly options?: FunctionOptions;
  /** Hash functions only; with a keyed function the secret is the key. */
  readonly combine?: Combine;
  readonly parameters: readonly Parameter[];
  /** Stands between two parameters of the message. */
  readonly separator: string;
  /** Recipes with a counter or random parameter: how many counters beyond the expected one have a live name too. */
  readonly lookAhead?: number;
  readonly token: TokenSelection;
  /** Where the token goes when the static URI has no `{token}`. */
  readonly place: Place;
  /** Hash functions only: accept secrets under 128 bits (N9). */
  readonly allowWeakSecret?: boolean;
}
