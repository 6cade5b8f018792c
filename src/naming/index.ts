export { type CollisionEstimate, collisionWarning, estimateCollisions, tokenSpaceBits } from "./collisions.ts";
export type { TokenEncoding } from "./encoding.ts";
export { CombineOffset, NameInvalid, ParameterMissing, PlacementImpossible, StaticUriInvalid, WeakSecret } from "./errors.ts";
export type { DerivativeFunction, FunctionOptions, HashFunction, KeyedFunction } from "./functions/function.ts";
export { FUNCTIONS } from "./functions/registry.ts";
export { hostPattern } from "./host-pattern.ts";
export { KeySlab } from "./key-slab.ts";
export { matchName, type NameMatch, type SeenUri } from "./match.ts";
export { nameKey } from "./name-key.ts";
export { type Namer, prepareNaming } from "./namer.ts";
export type { Combine, Parameter, ParameterEncoding, ParameterKind, Place, Recipe, TokenSelection } from "./recipe.ts";
export { BUILT_IN_RECIPES, builtInRecipe, parseRecipe, parseRecipeText, RecipeSchema } from "./recipe-schema.ts";
export {
  type Epoch,
  epochAt,
  liveEpochs,
  liveSteps,
  lookAheadOf,
  type Margins,
  type Step,
  stepAt,
  stepsToTry,
  usesCounter,
} from "./steps.ts";
export { hasIpHost, isIpLiteral, parseTarget, type Target } from "./target.ts";
export { derivative, type NamingInput, type TemporaryUri, temporaryUri } from "./temporary-uri.ts";
export { takeToken } from "./token.ts";
