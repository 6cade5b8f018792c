import { accessSync, constants, existsSync, readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { parseDocument } from "yaml";
import type { Milliseconds } from "../lib/clock.ts";
import { errorText, InvalidInput } from "../lib/errors.ts";
import { parseWith } from "../lib/schema.ts";
import { builtInRecipe, parseRecipe, parseRecipeText, prepareNaming, type Recipe } from "../naming/index.ts";
import type { AllocationConfig } from "./allocation-schema.ts";
import { type ConfigFile, ConfigSchema } from "./config-schema.ts";

/** Where the configuration is looked for unless `--config` says otherwise. */
const DEFAULT_CONFIG = "berth.yaml";

/** A configuration made ready: the recipe read, the zone known, paths absolute. */
export interface Config extends Omit<ConfigFile, "recipe" | "zone"> {
  readonly path: string;
  readonly recipe: Recipe;
  readonly zone: string;
  readonly margins: { readonly lead: Milliseconds; readonly grace: Milliseconds };
}

/** Publishing takes time, and a name asked for too early is "not found" for a whole negative TTL: this much more than the skew. */
const PUBLISHING: Milliseconds = 30_000;

/**
 * Reads a configuration file.
 * @throws InvalidInput naming the file and the key; for an unknown key the nearest known one
 */
export function loadConfig(path: string): Config {
  const file = parseWith(ConfigSchema, parseYamlFile(path), path);
  const absolute = (name: string): string => resolve(dirname(path), name);
  /** With the files that stand under `keys` by their whole path. */
  const located = <T extends object>(section: T, keys: readonly (keyof T)[]): T => {
    const files = keys.flatMap((key) => (typeof section[key] === "string" ? [[key, absolute(section[key])]] : []));
    return { ...section, ...Object.fromEntries(files) };
  };
  const allLocated = <T extends object>(sections: Readonly<Record<string, T>>, keys: readonly (keyof T)[]): Record<string, T> =>
    Object.fromEntries(Object.entries(sections).map(([name, section]) => [name, located(section, keys)]));
  const policyOf = ({ policy }: AllocationConfig): AllocationConfig["policy"] => {
    if (typeof policy === "string") return policy;
    return "module" in policy ? located(policy, ["module"]) : located(policy, ["token", "ca", "certificate", "key"]);
  };
  const recipe = recipeOf(file.recipe, absolute);
  checkScheme(file.uri, `${path}: uri`);
  const { skew, lead = skew + file.dns.negativeTtl + PUBLISHING, grace = skew + file.dns.ttl + PUBLISHING } = file.epochs;
  const { control, storage } = file;
  if (storage.folder !== undefined && storage.postgres !== undefined) {
    throw new InvalidInput(`${path}: storage: give a folder or a postgres URL, not both`);
  }
  return {
    ...located(file, ["objects"]),
    path,
    recipe,
    zone: (file.zone ?? zoneOf(file.uri, recipe, path)).toLowerCase(),
    margins: { lead, grace },
    profiles: Object.fromEntries(Object.entries(file.profiles).map(([name, value]) => [name, absolute(value)])),
    dtls: located(file.dtls, ["certificate", "key", "clientCa", "crl", "rawPublicKey"]),
    dns: { ...file.dns, keys: allLocated(file.dns.keys, ["file"]) },
    securityStores: allLocated(file.securityStores, ["token", "ca", "certificate", "key"]),
    sources: allLocated(file.sources, ["token", "ca", "certificate", "key"]),
    allocation: { ...file.allocation, policy: policyOf(file.allocation) },
    control: {
      ...located(control, ["operatorToken", "instanceToken", "ca"]),
      ...(control.tls === undefined ? {} : { tls: located(control.tls, ["cert", "key"]) }),
    },
    storage: located(storage, ["folder", "key"]),
  };
}

/** The configuration a command uses: the file asked for, else `berth.yaml` if there is one. */
export function findConfig(path: string | undefined): Config | undefined {
  if (path !== undefined) return loadConfig(path);
  return existsSync(DEFAULT_CONFIG) ? loadConfig(DEFAULT_CONFIG) : undefined;
}

/** As {@link findConfig}, for commands that cannot do without. @throws InvalidInput */
export function needConfig(path: string | undefined): Config {
  const config = findConfig(path);
  if (config === undefined) {
    throw new InvalidInput(`there is no ${DEFAULT_CONFIG} here; give one with --config FILE, or start from examples/berth.yaml`);
  }
  return config;
}

/** A recipe by name, or from a file. @throws InvalidInput */
export function readRecipe(nameOrFile: string): Recipe {
  const looksLikeFile = /[./\\]/.test(nameOrFile) || existsSync(nameOrFile);
  return looksLikeFile ? parseRecipeText(readText(nameOrFile), nameOrFile) : builtInRecipe(nameOrFile);
}

/**
 * The text of a file.
 * @param key where the configuration names it
 * @throws InvalidInput naming it
 */
export function readText(path: string, key?: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw cannotRead(key === undefined ? path : `${key}: ${path}`, error);
  }
}

/** Makes sure of a file that is to be read as a stream. @throws InvalidInput naming it */
export function checkReadable(path: string): void {
  try {
    accessSync(path, constants.R_OK);
  } catch (error) {
    throw cannotRead(path, error);
  }
}

function cannotRead(path: string, error: unknown): InvalidInput {
  const { code } = error as NodeJS.ErrnoException;
  return new InvalidInput(`${path}: ${code === "ENOENT" ? "there is no such file" : errorText(error)}`);
}

/** What a YAML or JSON file holds. @throws InvalidInput naming file, line and what is wrong */
export function parseYamlFile(path: string): unknown {
  const document = parseDocument(readText(path));
  // Warnings are of tags and directives that nothing here knows: mistyped values.
  const [problem] = [...document.errors, ...document.warnings];
  // Behind the place stands a picture of it, over several lines.
  if (problem !== undefined) throw new InvalidInput(`${path}: ${problem.message.replace(/:\n.*$/s, "")}`);
  try {
    return document.toJS();
  } catch (error) {
    throw new InvalidInput(`${path}: ${errorText(error)}`);
  }
}

/** @throws InvalidInput for a static URI of a protocol that is not spoken here */
export function checkScheme(uri: string, what: string): void {
  if (!/^coaps?:\/\//i.test(uri)) throw new InvalidInput(`${what}: "${uri}" does not begin with coaps:// or coap://`);
}

function recipeOf(value: unknown, absolute: (name: string) => string): Recipe {
  if (typeof value !== "string") return parseRecipe(value, "recipe");
  return readRecipe(/[./\\]/.test(value) ? absolute(value) : value);
}

function zoneOf(uri: string, recipe: Recipe, path: string): string {
  const { parentDomain, varies } = prepareNaming(recipe, uri);
  if (!varies.host)
    throw new InvalidInput(`${path}: uri and recipe: the host name does not vary, so DNS cannot lead devices anywhere`);
  if (parentDomain === "") throw new InvalidInput(`${path}: uri: its host has no domain behind the part that varies; set zone`);
  return parentDomain;
}
