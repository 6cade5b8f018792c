import type { Instant } from "../lib/clock.ts";
import { functionNamed } from "./functions/registry.ts";
import { combine, messageBytes, parameterAt } from "./message.ts";
import { nameKey } from "./name-key.ts";
import type { Recipe } from "./recipe.ts";
import { type Step, stepAt } from "./steps.ts";
import type { Target } from "./target.ts";
import { compileUri, fill } from "./template.ts";
import { takeToken } from "./token.ts";

/** What one device and its moment bring to a recipe. */
export interface NamingInput {
  /** Specific to the device or common to a group (N7): any bytes. */
  readonly secret: Uint8Array;
  /** The endpoint name exactly as the device sends it in `ep=`. */
  readonly endpoint: string;
  /** Needed by recipes with a time parameter. */
  readonly instant?: Instant;
  /** Needed by recipes with a counter or random parameter. */
  readonly counter?: number;
}

/** A temporary bootstrap URI, in one piece and in parts, and what it was made with. */
export interface TemporaryUri extends Target {
  readonly token: string;
  readonly step: Step;
}

/**
 * The derivative (N1-N3): the recipe's function of name key and parameters.
 * @param key the name key, see {@link nameKey}
 * @throws ParameterMissing, CombineOffset
 */
export function derivative(recipe: Recipe, key: Uint8Array, endpoint: string, step: Step): Uint8Array {
  const fn = functionNamed(recipe.function);
  const message = messageBytes(recipe, key, endpoint, step);
  return fn.kind === "keyed" ? fn.derive(key, message, recipe.options ?? {}) : fn.derive(combine(recipe.combine, key, message));
}

/**
 * Secret and parameters to temporary bootstrap URI (FIG. 1 and 2, N1-N9): pure, the same on device, balancer and
 * instance. For many devices {@link prepareNaming} gives the same names faster.
 * @throws WeakSecret, ParameterMissing, CombineOffset, StaticUriInvalid, PlacementImpossible, NameInvalid
 */
export function temporaryUri(recipe: Recipe, staticUri: string, input: NamingInput): TemporaryUri {
  const step = stepAt(recipe, input);
  const key = nameKey(recipe, input.secret);
  const compiled = compileUri(recipe, staticUri);
  const token = takeToken(recipe.token, derivative(recipe, key, input.endpoint, step));
  const parameter = (index: number): string => parameterAt(recipe, index, key, input.endpoint, step);
  return { ...fill(compiled, recipe, { token, parameter }), token, step };
}
