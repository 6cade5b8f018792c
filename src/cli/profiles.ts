import type { CheckedProfile, ReadProfile } from "../balancer/index.ts";
import { BerthError, errorText, InvalidInput } from "../lib/errors.ts";
import {
  type BootstrapProfile,
  isLeshanConfig,
  type ObjectDefinitions,
  parseLeshanConfig,
  parseProfile,
  profileWarnings,
  resolveProfile,
} from "../lwm2m/index.ts";
import { builtInRecipe, parseRecipe, prepareNaming, type Recipe } from "../naming/index.ts";
import { parseYamlFile } from "./config.ts";

/** What profiles are checked against. */
export interface ProfileContext {
  /** The objects they may write. */
  readonly objects: ObjectDefinitions;
  /** Names of the security stores that fresh keys may go to. */
  readonly securityStores: ReadonlySet<string>;
}

/** Reads profiles as files and the control API write them, and makes them such that instances need nothing else. */
export function profileReader(context: ProfileContext): ReadProfile {
  return (input, what) => {
    const [named, recipeProblem] = outcomeOf(() => withRecipe(input, `${what}: bootstrapServer`));
    const [profile, problem] = outcomeOf(() => parseProfile(named ?? input, what, context.objects));
    if (profile === undefined || recipeProblem !== undefined) {
      throw new InvalidInput([problem, recipeProblem].filter((each) => each !== undefined).join("; "));
    }
    return {
      profile: resolveProfile(profile, context.objects),
      warnings: [...profileWarnings(profile, context.objects), ...storeWarnings(profile, context.securityStores)],
    };
  };
}

/**
 * The bootstrap profiles of a file, not checked yet unless they are Leshan's: one of Berth's, or what a file of Leshan's
 * holds, which may be one for each endpoint; those go by the name of their endpoint.
 * @param name what a single profile is called
 * @throws InvalidInput
 */
export function profilesInFile(name: string, path: string): [name: string, profile: unknown][] {
  const input = parseYamlFile(path);
  if (!isLeshanConfig(input)) return [[name, input]];
  const found = parseLeshanConfig(input, path);
  return found.kind === "single" ? [[name, found.profile]] : [...found.profiles];
}

/** A profile of a file, checked. */
export interface FileProfile extends CheckedProfile {
  readonly name: string;
}

/** As {@link profilesInFile}, and checked. @throws InvalidInput naming the file and the path of each problem */
export function checkFile(name: string, path: string, read: ReadProfile): FileProfile[] {
  const profiles = profilesInFile(name, path);
  return profiles.map(([each, profile]) => ({
    name: each,
    ...read(profile, profiles.length === 1 ? path : `${path}: ${each}`),
  }));
}

interface RecipeSettings {
  readonly bootstrapServer?: { readonly uri?: unknown; readonly recipe?: unknown };
}

/**
 * A profile whose recipe is data, as the device is to get it: one that is named is written out.
 * @throws BerthError for what is no recipe, or cannot name the bootstrap server it stands beside
 */
function withRecipe(input: unknown, where: string): unknown {
  const { bootstrapServer } = (input ?? {}) as RecipeSettings;
  if (bootstrapServer?.recipe === undefined) return input;
  const { uri, recipe: given } = bootstrapServer;
  const recipe = readRecipe(given, where);
  // What stands for an attribute is seen when the device bootstraps; other placeholders are the recipe's.
  if (typeof uri === "string" && !uri.includes("{attributes.")) {
    const [, problem] = outcomeOf(() => prepareNaming(recipe, uri));
    if (problem !== undefined) throw new InvalidInput(`${where}.uri: ${problem}`);
  }
  return typeof given === "string" ? { ...(input as object), bootstrapServer: { ...bootstrapServer, recipe } } : input;
}

function readRecipe(given: unknown, where: string): Recipe {
  if (typeof given !== "string") return parseRecipe(given, `${where}.recipe`);
  const [recipe, problem] = outcomeOf(() => builtInRecipe(given));
  if (recipe === undefined) throw new InvalidInput(`${where}.${problem}`);
  return recipe;
}

/** What `work` gives, or what it says is wrong. */
function outcomeOf<T>(work: () => T): readonly [T, undefined] | readonly [undefined, string] {
  try {
    return [work(), undefined];
  } catch (error) {
    if (!(error instanceof BerthError)) throw error;
    return [undefined, errorText(error)];
  }
}

function storeWarnings({ servers }: BootstrapProfile, known: ReadonlySet<string>): string[] {
  return servers.flatMap(({ security }, index) =>
    security.mode !== "fresh-psk" || known.has(security.securityStore)
      ? []
      : [
          `servers[${index}].security.securityStore: "${security.securityStore}" is not among the securityStores here; ` +
            "the instances need it among theirs",
        ],
  );
}
