import { base32HostWriter, deriver, keyDeriver, type WriteHost } from "./fast-derive.ts";
import { parameterAt } from "./message.ts";
import type { Recipe } from "./recipe.ts";
import type { Step } from "./steps.ts";
import { MAX_NAME } from "./target.ts";
import { type CompiledUri, compileUri, type Filling, fill, fillHost, type Piece } from "./template.ts";
import type { TemporaryUri } from "./temporary-uri.ts";
import { takeToken } from "./token.ts";

/** A recipe and a static URI, prepared once to name many devices. Gives what {@link temporaryUri} gives, faster. */
export interface Namer {
  readonly recipe: Recipe;
  readonly staticUri: string;
  /** Lower case, without the colon. */
  readonly scheme: string;
  /** The port the URI names, if it names one. */
  readonly port: number | undefined;
  /** In which parts of the URI names differ. Where the host does not vary, DNS cannot tell devices apart. */
  readonly varies: { readonly host: boolean; readonly path: boolean; readonly query: boolean };
  /** The labels right of everything that varies, which all names share; the whole host when it does not vary, empty when its last label does. */
  readonly parentDomain: string;
  /** Bytes of a kept name key; undefined for recipes without `nameKey`, where the secret itself is kept, of any length. */
  readonly keyLength: number | undefined;
  /** What to keep per device instead of the secret. Throws WeakSecret. */
  nameKey(secret: Uint8Array): Uint8Array;
  /** The host name, lower case. Throws ParameterMissing, CombineOffset, NameInvalid. */
  host(key: Uint8Array, endpoint: string, step: Step): string;
  /** Writes the host name in lower-case ASCII into `out` at `offset`, where 253 bytes must be free; returns its length. Throws as `host`. */
  writeHost(key: Uint8Array, endpoint: string, step: Step, out: Uint8Array, offset: number): number;
  /** The whole temporary URI. Throws as `host`. */
  uri(key: Uint8Array, endpoint: string, step: Step): TemporaryUri;
}

/**
 * Prepares a recipe for a static URI (N5, N8); what holds for all names is checked here, once.
 * @throws StaticUriInvalid, PlacementImpossible, NameInvalid
 */
export function prepareNaming(recipe: Recipe, staticUri: string): Namer {
  const compiled = compileUri(recipe, staticUri);
  const derive = deriver(recipe);
  const filling = (key: Uint8Array, endpoint: string, step: Step): Filling => ({
    token: takeToken(recipe.token, Buffer.from(derive(key, endpoint, step), "latin1")),
    parameter: (index) => parameterAt(recipe, index, key, endpoint, step),
  });
  const plainHost = (key: Uint8Array, endpoint: string, step: Step): string =>
    fillHost(compiled, recipe, filling(key, endpoint, step));
  const fastWrite = base32HostWriter(recipe, compiled, derive);
  const scratch = Buffer.alloc(MAX_NAME);
  const writePlain: WriteHost = (key, endpoint, step, out, offset) => {
    const host = plainHost(key, endpoint, step);
    for (let i = 0; i < host.length; i += 1) out[offset + i] = host.charCodeAt(i);
    return host.length;
  };
  return {
    recipe,
    staticUri,
    scheme: compiled.scheme,
    port: compiled.port === "" ? undefined : Number(compiled.port.slice(1)),
    varies: { host: hasSlot(compiled.host), path: hasSlot(compiled.path), query: hasSlot(compiled.query ?? []) },
    parentDomain: parentDomain(compiled),
    keyLength: recipe.nameKey?.length,
    nameKey: keyDeriver(recipe),
    host: fastWrite
      ? (key, endpoint, step) => scratch.toString("latin1", 0, fastWrite(key, endpoint, step, scratch, 0))
      : plainHost,
    writeHost: fastWrite ?? writePlain,
    uri: (key, endpoint, step) => {
      const filled = filling(key, endpoint, step);
      return { ...fill(compiled, recipe, filled), token: filled.token, step };
    },
  };
}

const hasSlot = (pieces: readonly Piece[]): boolean => pieces.some((piece) => typeof piece !== "string");

function parentDomain({ host }: CompiledUri): string {
  const last = host.at(-1);
  if (typeof last !== "string") return "";
  if (host.length === 1) return last;
  const dot = last.indexOf(".");
  return dot === -1 ? "" : last.slice(dot + 1);
}
