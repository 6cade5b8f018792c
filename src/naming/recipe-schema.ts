import { closest } from "fastest-levenshtein";
import { parse as parseYaml } from "yaml";
import { z } from "zod";
import { errorText, InvalidInput } from "../lib/errors.ts";
import { parseWith } from "../lib/schema.ts";
import { encodedLength } from "./encoding.ts";
import type { FunctionOptions } from "./functions/function.ts";
import { HKDF_MAX_LENGTH } from "./functions/hkdf.ts";
import { FUNCTIONS, functionNamed } from "./functions/registry.ts";
import type { Combine, Parameter, Place, Recipe, TokenSelection } from "./recipe.ts";

/** The longest a name lives: a year. Longer units would only hide a mistake (milliseconds written for seconds). */
const MAX_UNIT = 366 * 86_400;
const MAX_LOOK_AHEAD = 1000;

const hex = z.string().regex(/^([0-9a-fA-F]{2})*$/, "must be hex digits, an even number of them");
const index = z.int().min(0).max(0xffff);

const PlaceSchema: z.ZodType<Place> = z.discriminatedUnion("in", [
  z.strictObject({
    in: z.literal("label"),
    label: index.default(0),
    at: z.union([z.enum(["start", "end"]), index]).default("end"),
  }),
  z.strictObject({ in: z.literal("own-label"), before: index.default(0) }),
  z.strictObject({ in: z.literal("path") }),
  z.strictObject({ in: z.literal("query"), key: z.string().regex(/^[A-Za-z0-9._~-]+$/, "must be letters, digits, - . _ or ~") }),
]);

const use = {
  hashed: z.boolean().default(true),
  inUri: z.strictObject({ place: PlaceSchema, encoding: z.enum(["plain", "hex", "base32"]).default("plain") }).exactOptional(),
};

const ParameterSchema: z.ZodType<Parameter> = z
  .discriminatedUnion("kind", [
    z.strictObject({ kind: z.literal("endpoint"), ...use }),
    z.strictObject({
      kind: z.literal("time"),
      unit: z.int().min(1).max(MAX_UNIT),
      round: z.enum(["nearest", "down"]).default("nearest"),
      ...use,
    }),
    z.strictObject({ kind: z.literal("counter"), ...use }),
    z.strictObject({ kind: z.literal("random"), length: z.int().min(1).max(32).default(16), ...use }),
  ])
  .refine((parameter) => parameter.hashed || parameter.inUri !== undefined, {
    error: "is neither hashed nor in the URI; leave it out or say where it goes with inUri",
  });

const CombineSchema: z.ZodType<Combine> = z.discriminatedUnion("order", [
  z.strictObject({ order: z.literal("secret-first") }),
  z.strictObject({ order: z.literal("parameters-first") }),
  z.strictObject({ order: z.literal("parameters-in-secret"), offset: index }),
  z.strictObject({ order: z.literal("secret-in-parameters"), offset: index }),
]);

const TokenSchema: z.ZodType<TokenSelection> = z
  .strictObject({
    encoding: z.enum(["hex", "base32", "decimal", "base64url"]),
    first: z.int().min(1).exactOptional(),
    last: z.int().min(1).exactOptional(),
    all: z.literal(true).exactOptional(),
    positions: z.array(index).min(1).exactOptional(),
  })
  .refine(({ encoding: _, ...ways }) => Object.keys(ways).length === 1, {
    error: "needs exactly one of first, last, all, positions",
  })
  .refine(({ positions = [] }) => new Set(positions).size === positions.length, {
    error: "positions must differ from each other",
  });

const OptionsSchema: z.ZodType<FunctionOptions> = z.strictObject({
  salt: hex.exactOptional(),
  length: z.int().min(1).max(HKDF_MAX_LENGTH).exactOptional(),
});

/**
 * A recipe as written in JSON or YAML (N8); defaults are filled in. What fits no single key is checked by
 * {@link parseRecipe}, which is what to use.
 */
export const RecipeSchema: z.ZodType<Recipe> = z
  .strictObject({
    version: z.literal(1),
    name: z.string().min(1).max(64).exactOptional(),
    nameKey: z
      .strictObject({ info: z.string(), salt: hex.exactOptional(), length: z.int().min(16).max(HKDF_MAX_LENGTH).default(32) })
      .exactOptional(),
    function: z.enum([...FUNCTIONS.keys()]),
    options: OptionsSchema.exactOptional(),
    combine: CombineSchema.exactOptional(),
    parameters: z.array(ParameterSchema),
    separator: z.string().max(16).default("|"),
    lookAhead: z.int().min(0).max(MAX_LOOK_AHEAD).exactOptional(),
    token: TokenSchema,
    place: PlaceSchema.default({ in: "label", label: 0, at: "end" }),
    allowWeakSecret: z.boolean().exactOptional(),
  })
  .superRefine((recipe, context) => {
    const problem = (path: (string | number)[], message: string): void => context.addIssue({ code: "custom", path, message });
    const { function: name, options = {} } = recipe;
    const fn = functionNamed(name);
    for (const key of Object.keys(options)) {
      if (!fn.options.some((option) => option === key)) problem(["options", key], `${name} has no such option`);
    }
    if (fn.kind === "keyed" && recipe.combine !== undefined) {
      problem(["combine"], `${name} takes the secret as its key; there is nothing to combine, leave it out`);
    }
    if (fn.kind === "keyed" && recipe.allowWeakSecret !== undefined)
      problem(["allowWeakSecret"], `has no meaning for ${name}, leave it out`);
    const kinds = recipe.parameters.map((parameter) => parameter.kind);
    for (const [i, kind] of kinds.entries()) {
      if (kinds.indexOf(kind) !== i) problem(["parameters", i, "kind"], "each kind of parameter can stand in a recipe once");
    }
    if (recipe.lookAhead !== undefined && !kinds.some((kind) => kind === "counter" || kind === "random")) {
      problem(["lookAhead"], "needs a counter or random parameter");
    }
    const available = encodedLength(recipe.token.encoding, fn.outputLength(options));
    const wanted = recipe.token.first ?? recipe.token.last ?? Math.max(0, ...(recipe.token.positions ?? []).map((at) => at + 1));
    if (wanted > available) {
      problem(["token"], `asks for ${wanted} characters, but ${name} in ${recipe.token.encoding} gives ${available}`);
    }
  });

/**
 * A recipe from outside, checked and with its defaults filled in (N8).
 * @param what what is parsed, for the error: a file's path, "recipe"
 * @throws InvalidInput naming the key, and for an unknown key the nearest known one
 */
export function parseRecipe(input: unknown, what = "recipe"): Recipe {
  return parseWith(RecipeSchema, input, what, []);
}

/**
 * A recipe from the text of a JSON or YAML file.
 * @throws InvalidInput where the text is neither, or no recipe
 */
export function parseRecipeText(text: string, what = "recipe"): Recipe {
  let input: unknown;
  try {
    input = parseYaml(text, { logLevel: "error" });
  } catch (error) {
    throw new InvalidInput(`${what}: neither JSON nor YAML: ${errorText(error)}`);
  }
  return parseRecipe(input, what);
}

/** The recipes that can be asked for by name. `berth-1` is the default (N9). */
export const BUILT_IN_RECIPES: ReadonlyMap<string, Recipe> = new Map(
  [
    {
      version: 1,
      name: "berth-1",
      nameKey: { info: "berth/name/v1" },
      function: "hmac-sha-256",
      parameters: [{ kind: "endpoint" }, { kind: "time", unit: 3600, round: "nearest" }],
      token: { encoding: "base32", first: 16 },
    },
    {
      version: 1,
      name: "ni-3",
      function: "sha-256",
      combine: { order: "secret-first" },
      parameters: [{ kind: "endpoint" }, { kind: "time", unit: 3600, round: "nearest" }],
      token: { encoding: "decimal", last: 3 },
    },
  ].map((recipe) => [recipe.name, parseRecipe(recipe, recipe.name)]),
);

/**
 * A built-in recipe by its name.
 * @throws InvalidInput naming the nearest one there is
 */
export function builtInRecipe(name: string): Recipe {
  const recipe = BUILT_IN_RECIPES.get(name);
  if (recipe !== undefined) return recipe;
  const names = [...BUILT_IN_RECIPES.keys()];
  throw new InvalidInput(
    `recipe: there is no built-in recipe "${name}"; did you mean "${closest(name, names)}"? There are: ${names.join(", ")}`,
  );
}
