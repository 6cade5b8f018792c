import { encode } from "./encoding.ts";
import type { TokenSelection } from "./recipe.ts";

/** The part of the derivative that goes into the URI (N4). The schema has seen to it that there are enough characters. */
export function takeToken(selection: TokenSelection, derivative: Uint8Array): string {
  const text = encode(selection.encoding, derivative);
  if (selection.first !== undefined) return text.slice(0, selection.first);
  if (selection.last !== undefined) return text.slice(-selection.last);
  if (selection.positions !== undefined) return selection.positions.map((at) => text.charAt(at)).join("");
  return text;
}
