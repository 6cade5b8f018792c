import { closest } from "fastest-levenshtein";
import { toBase32, toHex, utf8 } from "../lib/bytes.ts";
import { encodedLength } from "./encoding.ts";
import { NameInvalid, PlacementImpossible, StaticUriInvalid } from "./errors.ts";
import { functionNamed } from "./functions/registry.ts";
import type { Parameter, ParameterEncoding, Place, Recipe } from "./recipe.ts";
import { hostProblem, isIpLiteral, MAX_URI, splitUri, type Target, type Template, toTarget } from "./target.ts";

/** Text, or the place of the token, or of a parameter (by its number in the recipe). */
export type Piece = string | { readonly token: true } | { readonly parameter: number };

/** A static URI with everything placed, ready to be filled in any number of times. */
export interface CompiledUri {
  readonly staticUri: string;
  readonly scheme: string;
  readonly host: readonly Piece[];
  readonly port: string;
  readonly path: readonly Piece[];
  readonly query?: readonly Piece[];
  /** Some text depends on the device or the step in more than the token: its length and characters are checked each time. */
  readonly checkEach: boolean;
}

/** What fills a compiled URI: the token, and the text of each parameter by its number in the recipe. */
export interface Filling {
  readonly token: string;
  parameter(index: number): string;
}

const PLACEHOLDER = /\{([a-z]+)\}/g;

/** Characters of the token: the same for every name of a recipe. */
export function tokenLength({ token, function: name, options = {} }: Recipe): number {
  return (
    token.first ??
    token.last ??
    token.positions?.length ??
    encodedLength(token.encoding, functionNamed(name).outputLength(options))
  );
}

/**
 * Places token and parameters in a static URI (N5, N6): first the token, then the parameters in their stated order, each
 * where the URI has its placeholder, else where the recipe says.
 * @throws StaticUriInvalid, PlacementImpossible, NameInvalid
 */
export function compileUri(recipe: Recipe, staticUri: string): CompiledUri {
  const split = splitUri(staticUri);
  checkPlaceholders(recipe, staticUri);
  let template = split;
  if (!staticUri.includes("{token}")) template = put(template, recipe.place, "{token}", staticUri);
  for (const { kind, inUri } of recipe.parameters) {
    if (inUri !== undefined && !staticUri.includes(`{${kind}}`)) template = put(template, inUri.place, `{${kind}}`, staticUri);
  }
  const { scheme, host, port, path, query } = template;
  if (host.includes("{") && isIpLiteral(host.replaceAll(PLACEHOLDER, "0"))) {
    throw new PlacementImpossible(
      `static URI "${staticUri}": its host is an IP address, into which nothing can be put; use a host name`,
    );
  }
  if (host.includes("{token}") && recipe.token.encoding === "base64url") {
    throw new PlacementImpossible("token.encoding: base64url cannot go into a host name, as DNS ignores case; use base32 or hex");
  }
  const pieces = (text: string): Piece[] => toPieces(text, recipe.parameters);
  const compiled: CompiledUri = {
    staticUri,
    scheme,
    host: pieces(host),
    port,
    path: pieces(path),
    ...(query === undefined ? {} : { query: pieces(query) }),
    checkEach: [host, path, query ?? ""].some((text) => /\{(?!token)/.test(text)),
  };
  // A token has a fixed length and, in a host, letters and digits only, so one sample stands for all of them.
  if (!compiled.checkEach) fill(compiled, recipe, { token: "0".repeat(tokenLength(recipe)), parameter: () => "" }, true);
  return compiled;
}

function checkPlaceholders(recipe: Recipe, staticUri: string): void {
  const known = ["token", ...recipe.parameters.map(({ kind }) => kind)];
  for (const [text, name = ""] of staticUri.matchAll(PLACEHOLDER)) {
    if (known.includes(name)) continue;
    throw new StaticUriInvalid(
      `static URI "${staticUri}": the recipe has nothing for ${text}; did you mean {${closest(name, known)}}?`,
    );
  }
}

function put(template: Template, place: Place, text: string, staticUri: string): Template {
  const fail = (why: string): never => {
    throw new PlacementImpossible(`static URI "${staticUri}": ${why}`);
  };
  if (place.in === "path") return { ...template, path: `${template.path.replace(/\/$/, "")}/${text}` };
  if (place.in === "query") {
    return { ...template, query: `${template.query ? `${template.query}&` : ""}${place.key}=${text}` };
  }
  if (isIpLiteral(template.host)) fail("its host is an IP address, into which nothing can be put; use a host name");
  const labels = template.host.split(".");
  const number = place.in === "label" ? place.label : place.before;
  if (number > labels.length - (place.in === "label" ? 1 : 0))
    fail(`its host has only ${labels.length} labels, the recipe asks for number ${number}, counted from 0`);
  if (place.in === "own-label") labels.splice(number, 0, text);
  else labels[number] = putInLabel(labels[number] ?? "", place.at, text, fail);
  return { ...template, host: labels.join(".") };
}

function putInLabel(label: string, at: "start" | "end" | number, text: string, fail: (why: string) => never): string {
  if (typeof at === "number" && label.includes("{"))
    fail("an offset cannot be counted in a label that already holds a placeholder");
  if (typeof at === "number" && at > label.length) fail(`its label "${label}" has no offset ${at}`);
  const offset = at === "start" ? 0 : at === "end" ? label.length : at;
  return label.slice(0, offset) + text + label.slice(offset);
}

function toPieces(text: string, parameters: readonly Parameter[]): Piece[] {
  return text
    .split(/(\{[a-z]+\})/)
    .filter((part) => part !== "")
    .map((part) => {
      if (part === "{token}") return { token: true };
      const index = parameters.findIndex(({ kind }) => part === `{${kind}}`);
      return index === -1 ? part : { parameter: index };
    });
}

function encodeParameter(text: string, encoding: ParameterEncoding, inHost: boolean): string {
  if (encoding === "hex") return toHex(utf8(text));
  if (encoding === "base32") return toBase32(utf8(text));
  return inHost ? text.toLowerCase() : percentEncode(text);
}

/** Percent-encodes every byte of the UTF-8 text but the unreserved characters (RFC 3986 section 2.3). */
function percentEncode(text: string): string {
  const wellFormed = Buffer.from(text, "utf8").toString("utf8"); // encodeURIComponent throws for half a surrogate pair
  return encodeURIComponent(wellFormed).replaceAll(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

/** The text of the pieces, filled in. */
function fillPieces(pieces: readonly Piece[], recipe: Recipe, filling: Filling, inHost: boolean): string {
  let text = "";
  for (const piece of pieces) {
    if (typeof piece === "string") text += piece;
    else if ("token" in piece) text += filling.token;
    else
      text += encodeParameter(
        filling.parameter(piece.parameter),
        recipe.parameters[piece.parameter]?.inUri?.encoding ?? "plain",
        inHost,
      );
  }
  return text;
}

/**
 * The host name alone, checked where it can differ in more than the token.
 * @throws NameInvalid
 */
export function fillHost(compiled: CompiledUri, recipe: Recipe, filling: Filling, check: boolean = compiled.checkEach): string {
  const host = fillPieces(compiled.host, recipe, filling, true);
  const problem = check && !isIpLiteral(host) ? hostProblem(host) : undefined;
  if (problem !== undefined) throw new NameInvalid(`${problem} (static URI "${compiled.staticUri}")`);
  return host;
}

/**
 * The whole temporary URI, checked (N5).
 * @throws NameInvalid
 */
export function fill(compiled: CompiledUri, recipe: Recipe, filling: Filling, check: boolean = compiled.checkEach): Target {
  const target = toTarget({
    scheme: compiled.scheme,
    host: fillHost(compiled, recipe, filling, check),
    port: compiled.port,
    path: fillPieces(compiled.path, recipe, filling, false),
    ...(compiled.query === undefined ? {} : { query: fillPieces(compiled.query, recipe, filling, false) }),
  });
  if (check && target.uri.length > MAX_URI) {
    throw new NameInvalid(
      `the temporary URI has ${target.uri.length} characters, at most ${MAX_URI} are allowed (static URI "${compiled.staticUri}")`,
    );
  }
  return target;
}
