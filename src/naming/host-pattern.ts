import type { TokenEncoding } from "./encoding.ts";
import type { Recipe } from "./recipe.ts";
import { compileUri, type Piece, tokenLength } from "./template.ts";

/** Characters of a token in a host name; base64url cannot be there. */
const CHARACTERS: Readonly<Record<TokenEncoding, string>> = {
  hex: "[0-9a-f]",
  base32: "[a-z2-7]",
  decimal: "[0-9]",
  base64url: "[^.]",
};

/**
 * What host names of a recipe look like: which names of a zone may be ours, and which cannot.
 * @returns a pattern for whole host names in lower case
 * @throws StaticUriInvalid, PlacementImpossible, NameInvalid
 */
export function hostPattern(recipe: Recipe, staticUri: string): RegExp {
  const { host } = compileUri(recipe, staticUri);
  const token = `${CHARACTERS[recipe.token.encoding]}{${tokenLength(recipe)}}`;
  const patternOf = (piece: Piece): string => {
    if (typeof piece === "string") return piece.toLowerCase().replaceAll(/[^a-z0-9-]/g, "\\$&");
    // A parameter, such as an endpoint client name, may hold dots where it stands as it is.
    return "token" in piece ? token : "[!-~]+";
  };
  return new RegExp(`^${host.map(patternOf).join("")}$`);
}
