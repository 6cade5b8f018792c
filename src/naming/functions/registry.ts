import { InternalError } from "../../lib/errors.ts";
import type { DerivativeFunction } from "./function.ts";
import { HKDF_SHA_256 } from "./hkdf.ts";
import { HMAC_SHA_256 } from "./hmac.ts";
import { SHA_256_FUNCTIONS } from "./sha256.ts";

/** Every function a recipe can name (N1). One more is one file beside this one, and its name in this list. */
export const FUNCTIONS: ReadonlyMap<string, DerivativeFunction> = new Map(
  [...SHA_256_FUNCTIONS, HMAC_SHA_256, HKDF_SHA_256].map((entry) => [entry.name, entry]),
);

/** The function of a parsed recipe; the schema has seen to it that there is one. */
export function functionNamed(name: string): DerivativeFunction {
  const found = FUNCTIONS.get(name);
  if (found === undefined) throw new InternalError(`no function "${name}"`);
  return found;
}
