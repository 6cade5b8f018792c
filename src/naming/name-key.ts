import { hkdfSync } from "node:crypto";
import { fromHex, utf8 } from "../lib/bytes.ts";
import { WeakSecret } from "./errors.ts";
import { functionNamed } from "./functions/registry.ts";
import type { Recipe } from "./recipe.ts";

/** Shortest secret a plain hash may be taken of (N9): below it, a seen name lets a stranger try all secrets. */
const MIN_HASHED_SECRET = 16;

/**
 * Refuses secrets the recipe must not be used with (N9). The error tells the length, never the bytes.
 * @throws WeakSecret
 */
export function checkSecret(recipe: Recipe, secret: Uint8Array): void {
  if (secret.byteLength === 0) throw new WeakSecret("secret: it is empty");
  if (functionNamed(recipe.function).kind !== "hash" || recipe.allowWeakSecret || secret.byteLength >= MIN_HASHED_SECRET) return;
  throw new WeakSecret(
    `secret: ${secret.byteLength * 8} bits are too few to be hashed plainly, 128 are needed; use berth-1, or set allowWeakSecret: true in the recipe`,
  );
}

/**
 * What takes the place of the secret in everything that follows, and is worth keeping per device: for recipes with
 * `nameKey` the key derived by HKDF-SHA-256, else the secret itself.
 * @throws WeakSecret
 */
export function nameKey(recipe: Recipe, secret: Uint8Array): Uint8Array {
  checkSecret(recipe, secret);
  if (recipe.nameKey === undefined) return secret;
  const { info, salt = "", length } = recipe.nameKey;
  return new Uint8Array(hkdfSync("sha256", secret, fromHex(salt, "salt"), utf8(info), length));
}
