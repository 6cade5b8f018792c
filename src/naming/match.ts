import { equalInConstantTime, utf8 } from "../lib/bytes.ts";
import type { Namer } from "./namer.ts";
import type { Step } from "./steps.ts";

/** What a bootstrap server sees of the URI a device used (S2). Clients send some of it, or nothing. */
export interface SeenUri {
  /** The TLS server name or Uri-Host; in any case, with or without a final dot. */
  readonly host?: string;
  /** Uri-Path options before the final `bs`, decoded. */
  readonly path?: readonly string[];
  /** Uri-Query options, decoded. */
  readonly query?: readonly string[];
}

/** `unseen`: the device sent none of the parts in which names differ, so nothing is said about its name. */
export type NameMatch =
  | { readonly kind: "match"; readonly step: Step }
  | { readonly kind: "mismatch" }
  | { readonly kind: "unseen" };

/**
 * Whether the URI a device used is one of its own names in the live steps (S2), and in which. Only parts in which
 * names differ are compared. The time taken tells nothing about the names.
 * @throws ParameterMissing, CombineOffset, NameInvalid
 */
export function matchName(namer: Namer, key: Uint8Array, endpoint: string, steps: readonly Step[], seen: SeenUri): NameMatch {
  let found: NameMatch | undefined;
  for (const step of steps) {
    const compared = seenParts(namer, key, endpoint, step, seen);
    if (compared.length === 0) return { kind: "unseen" };
    let equal = true;
    for (const [expected, actual] of compared) equal = equalInConstantTime(utf8(expected), utf8(actual)) && equal;
    if (equal && found === undefined) found = { kind: "match", step };
  }
  return found ?? { kind: "mismatch" };
}

/** Pairs of what the name says and what was seen, of the parts that vary and were sent. */
function seenParts(
  namer: Namer,
  key: Uint8Array,
  endpoint: string,
  step: Step,
  seen: SeenUri,
): [expected: string, actual: string][] {
  const pairs: [string, string][] = [];
  if (namer.varies.host && seen.host) pairs.push([namer.host(key, endpoint, step), seen.host.toLowerCase().replace(/\.$/, "")]);
  // Most names differ in the host only, and it alone is made several times as fast as the whole URI.
  if (!namer.varies.path && !namer.varies.query) return pairs;
  const name = namer.uri(key, endpoint, step);
  if (namer.varies.path && seen.path?.length)
    pairs.push([pathText(name.path.split("/").slice(1).map(decodeURIComponent)), pathText(seen.path)]);
  if (namer.varies.query && name.query !== undefined) {
    const keys = items(name.query).map(keyOf);
    const sent = (seen.query ?? []).filter((item) => keys.includes(keyOf(item)));
    if (sent.length > 0) pairs.push([items(name.query).join("&"), sent.join("&")]);
  }
  return pairs;
}

/** One text per list of segments: a segment may hold a slash. */
const pathText = (segments: readonly string[]): string => segments.map((segment) => `${segment.length}/${segment}`).join("");
const items = (query: string): string[] => query.split("&").map(decodeURIComponent);
const keyOf = (item: string): string => item.split("=", 1)[0] ?? "";
