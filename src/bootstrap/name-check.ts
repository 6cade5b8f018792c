import { isIP } from "node:net";
import type { AssignmentEvent } from "../control/index.ts";
import type { Instant, Milliseconds } from "../lib/clock.ts";
import { liveSteps, matchName, type Namer, parseRecipe, prepareNaming, type SeenUri, type Step } from "../naming/index.ts";
import { type Device, nameSecretOf } from "./device.ts";

/** How the fleet's devices make their names, worked out once. */
export interface FleetNaming {
  readonly namer: Namer;
  readonly skew: Milliseconds;
  /** The static URI, to which devices fall back, in parts; where it has a placeholder the part without it. */
  readonly staticHost: string;
  /** As Uri-Path segments. */
  readonly staticPath: readonly string[];
  /** As Uri-Query arguments. */
  readonly staticQuery: readonly string[];
}

/** The parts of the URI a device used, as far as its handshake and request show them. */
export interface SeenName {
  /** Server name of the handshake (SNI). */
  readonly serverName: string | undefined;
  /** Uri-Host option. */
  readonly uriHost: string | undefined;
  /** Uri-Path segments before `bs`. */
  readonly path: readonly string[];
  /** Uri-Query arguments. */
  readonly query: readonly string[];
}

/** What the name says: none was sent, it is the device's own and live, or it is not. */
export type NameVerdict =
  | { readonly kind: "not-sent" | "wrong" }
  /** `counter`: the one it is made of, with a recipe that has one. */
  | { readonly kind: "live"; readonly counter: number | undefined };

const URI_PARTS = /^[^:]+:\/\/([^/?#:[\]]*|\[[^\]]*\])(?::\d+)?([^?#]*)(?:\?([^#]*))?$/;

/**
 * Prepares the check of names for a fleet.
 * @throws the errors of `naming/` when recipe and URI are not usable
 */
export function compileFleet(fleet: Extract<AssignmentEvent, { type: "fleet" }>): FleetNaming {
  const namer = prepareNaming(parseRecipe(fleet.recipe), fleet.uri);
  const [, host = "", path = "", query] = URI_PARTS.exec(fleet.uri.replaceAll(/\{[^}]*\}/g, "")) ?? [];
  return {
    namer,
    skew: fleet.skew,
    staticHost: host.toLowerCase(),
    staticPath: path
      .split("/")
      .filter((segment) => segment !== "")
      .map(decodeURIComponent),
    staticQuery: query === undefined ? [] : query.split("&").map(decodeURIComponent),
  };
}

/** Whether these Uri-Path segments may stand before `bs`: none, those of the static URI, or any where names differ in them. */
export function isPathPrefix(fleet: FleetNaming | undefined, prefix: readonly string[]): boolean {
  return prefix.length === 0 || (fleet !== undefined && (fleet.namer.varies.path || isSame(prefix, fleet.staticPath)));
}

/**
 * Matches what a device sent of its URI against its live names (S2): those of all steps a device may be in whose clock
 * is off by up to the skew, and with a counter those from its lowest live one to the look-ahead, in constant time. A host that is an IP address or lies outside the names' domain says
 * nothing of a name (Anjay sends the host as server name even when it is an address), nor do the parts of the static
 * URI, to which a device falls back: these count as not sent.
 */
export function checkName(fleet: FleetNaming, device: Device, seen: SeenName, instant: Instant): NameVerdict {
  const { namer } = fleet;
  const path = namer.varies.path && seen.path.length > 0 && !isSame(seen.path, fleet.staticPath) ? seen.path : undefined;
  const query = namer.varies.query && !isStaticQuery(fleet, seen.query) ? seen.query : undefined;
  const rest: SeenUri = { ...(path === undefined ? {} : { path }), ...(query === undefined ? {} : { query }) };
  const seenUris: SeenUri[] = [];
  for (const host of new Set([seen.serverName, seen.uriHost]))
    if (host !== undefined && mayBeTemporary(fleet, host)) seenUris.push({ ...rest, host });
  if (seenUris.length === 0 && (path !== undefined || query !== undefined)) seenUris.push(rest);
  if (seenUris.length === 0) return { kind: "not-sent" };

  const key = namer.nameKey(nameSecretOf(device));
  const steps = liveStepsAt(fleet, instant, device.counter ?? 0);
  const matches = seenUris.map((uri) => matchName(namer, key, device.endpoint, steps, uri));
  if (matches.some(({ kind }) => kind === "mismatch")) return { kind: "wrong" };
  const match = matches.find((each) => each.kind === "match");
  return match === undefined ? { kind: "not-sent" } : { kind: "live", counter: match.step.counter };
}

/** Whether a host may be a temporary name: it lies in the domain of the names and is not the static host. */
function mayBeTemporary(fleet: FleetNaming, given: string): boolean {
  const host = given.toLowerCase().replace(/\.$/, "");
  if (!fleet.namer.varies.host || isIP(host.replace(/^\[(.*)\]$/, "$1")) !== 0 || host === fleet.staticHost) return false;
  return fleet.namer.parentDomain === "" || host.endsWith(`.${fleet.namer.parentDomain}`);
}

/** Parameters of Bootstrap-Request and Bootstrap-Pack-Request. */
const OF_THE_REQUEST = /^(ep|pct|acc)=/;

/** Whether a query holds, beside the parameters of the request, just what the static URI has. */
function isStaticQuery(fleet: FleetNaming, query: readonly string[]): boolean {
  const added = query.filter((argument) => !OF_THE_REQUEST.test(argument));
  return isSame(added, fleet.staticQuery);
}

interface KeptSteps {
  readonly second: number;
  readonly steps: readonly Step[];
}
const keptSteps: WeakMap<FleetNaming, KeptSteps> = new WeakMap();

/** The steps live at an instant; those of counter 0 are kept for a second, as they change a few times an hour. */
function liveStepsAt(fleet: FleetNaming, instant: Instant, counter: number): readonly Step[] {
  const { recipe } = fleet.namer;
  const margins = { lead: fleet.skew, grace: fleet.skew };
  if (counter > 0) return liveSteps(recipe, instant, margins, counter);
  const second = Math.floor(instant / 1000);
  const kept = keptSteps.get(fleet);
  if (kept?.second === second) return kept.steps;
  const steps = liveSteps(recipe, instant, margins);
  keptSteps.set(fleet, { second, steps });
  return steps;
}

function isSame(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((part, index) => part === b[index]);
}
