import { BITS_PER_CHARACTER, encodedLength } from "./encoding.ts";
import { functionNamed } from "./functions/registry.ts";
import type { Recipe } from "./recipe.ts";

/** What to expect of tokens drawn at random for a number of live names (N10). */
export interface CollisionEstimate {
  /** Size of the token space, as a power of two. */
  readonly bits: number;
  readonly liveNames: number;
  /** Pairs of devices expected to share a token. */
  readonly pairs: number;
  /** Devices expected to share their token with at least one other. */
  readonly sharing: number;
}

/** Positions of the encoded derivative that make the token. */
function positionsOf({ token }: Recipe, available: number): readonly number[] {
  const { first = available, last, positions } = token;
  if (positions !== undefined) return positions;
  const start = last === undefined ? 0 : available - last;
  return Array.from({ length: last ?? first }, (_, i) => start + i);
}

/**
 * How many bits of the derivative a token carries (N10): two tokens are equal with a chance of 1 in 2 to the power of this. The
 * last character of base32 and base64url may carry fewer bits than the others, and the first decimal digits are uneven.
 */
export function tokenSpaceBits(recipe: Recipe): number {
  const { encoding } = recipe.token;
  const byteLength = functionNamed(recipe.function).outputLength(recipe.options ?? {});
  const available = encodedLength(encoding, byteLength);
  let bits = 0;
  for (const position of positionsOf(recipe, available)) {
    bits +=
      encoding === "decimal"
        ? digitBits(byteLength, available - 1 - position)
        : Math.min(BITS_PER_CHARACTER[encoding], byteLength * 8 - position * BITS_PER_CHARACTER[encoding]);
  }
  return Math.min(bits, byteLength * 8);
}

/** Bits of the decimal digit that counts 10^power in an even draw from all integers of `byteLength` bytes. */
function digitBits(byteLength: number, power: number): number {
  const all = 256n ** BigInt(byteLength);
  const place = 10n ** BigInt(power);
  let equal = 0;
  for (let digit = 0n; digit < 10n; digit += 1n) {
    const rest = (all % (place * 10n)) - digit * place;
    const count = (all / (place * 10n)) * place + (rest < 0n ? 0n : rest > place ? place : rest);
    const chance = Number((count * 1_000_000_000_000n) / all) / 1e12;
    equal += chance * chance;
  }
  return -Math.log2(equal);
}

/** What to expect when `liveNames` devices have a name at once, each drawn from the recipe's token space (N10). */
export function estimateCollisions(recipe: Recipe, liveNames: number): CollisionEstimate {
  const bits = tokenSpaceBits(recipe);
  const others = Math.max(0, liveNames - 1);
  // 1 - (1 - 2^-bits)^others without losing small chances to rounding
  const chance = -Math.expm1(others * Math.log1p(-(2 ** -bits)));
  return { bits, liveNames, pairs: (liveNames * others) / 2 / 2 ** bits, sharing: liveNames * chance };
}

/** A sentence with the numbers when devices must be expected to share names (one pair or more), else undefined (N10). */
export function collisionWarning(recipe: Recipe, liveNames: number): string | undefined {
  const { bits, pairs, sharing } = estimateCollisions(recipe, liveNames);
  if (pairs < 1) return undefined;
  return (
    `recipe ${recipe.name ?? "(unnamed)"}: ${liveNames} live names are too many for its ${figure(2 ** bits)} different tokens (${figure(bits)} bits): ` +
    `${figure(sharing)} devices can be expected to share a name with another one (${figure(pairs)} pairs). Take more characters of the derivative.`
  );
}

function figure(value: number): string {
  return value >= 1e7
    ? value.toExponential(1)
    : String(Number(value.toPrecision(value >= 100 ? Math.max(3, Math.ceil(Math.log10(value))) : 3)));
}
