import { parse as parseYaml, stringify as toYaml } from "yaml";
import { ConfigSchema } from "../../src/cli/config-schema.ts";
import { BerthError, errorText } from "../../src/lib/errors.ts";
import type { Random } from "../../src/lib/random.ts";
import { parseWith } from "../../src/lib/schema.ts";
import { parseLeshanConfig, parseObjectXml, parseProfile } from "../../src/lwm2m/index.ts";
import { BUILT_IN_RECIPES, parseRecipe, parseRecipeText } from "../../src/naming/index.ts";
import { readDevices } from "../../src/storage/index.ts";
import { readHostileDns } from "./dns-messages.ts";
import { hostile, oneOf, twisted } from "./mutate.ts";

/** Files that are right. */
export interface Files {
  readonly csv: string;
  readonly config: string;
  readonly profile: string;
  readonly leshan: string;
  /** An object definition of OMA, XML. */
  readonly object: string;
}

type Attempt = (random: Random) => unknown;

/** Longest message of an error, in characters: one line a person can read. */
const MAX_MESSAGE = 4000;

/**
 * Reads files and objects that are almost right. Each is taken or refused with an error of ours, in one line.
 * @returns how many were taken and how many refused
 * @throws the first error that is none of ours
 */
export async function feedParsers(files: Files, rounds: number, random: Random): Promise<{ taken: number; refused: number }> {
  const text = (good: string): string => Buffer.from(hostile(random, [Buffer.from(good)])).toString("utf8");
  const recipes = [...BUILT_IN_RECIPES.values()];
  const rows = files.csv.split("\n").slice(1, 20);
  const ndjson = rows.map((row) => JSON.stringify({ endpoint: row.split(",")[0], psk: row.split(",")[1] })).join("\n");
  const [config, profile, leshan] = [parseYaml(files.config), parseYaml(files.profile), JSON.parse(files.leshan)] as const;
  const yaml = (bad: string): unknown => {
    try {
      return parseYaml(bad, { logLevel: "error" });
    } catch {
      // What is no YAML is told by the yaml package; berth's commands say it with the file's name.
      return undefined;
    }
  };
  const attempts: readonly Attempt[] = [
    () => readAll(text(files.csv), "csv"),
    () => readAll(text(ndjson), "ndjson"),
    () => readAll(JSON.stringify(twisted(random, JSON.parse(ndjson.split("\n")[0] ?? ""))), "ndjson"),
    () => parseWith(ConfigSchema, yaml(text(files.config)), "berth.yaml"),
    () => parseWith(ConfigSchema, twisted(random, config), "berth.yaml"),
    () => parseRecipeText(text(oneOf(random, [JSON.stringify, toYaml])(oneOf(random, recipes))), "recipe"),
    () => parseRecipe(twisted(random, oneOf(random, recipes)), "recipe"),
    () => parseProfile(yaml(text(files.profile)), "profile"),
    () => parseProfile(twisted(random, profile), "profile"),
    () => parseLeshanConfig(twisted(random, leshan), "leshan"),
    () => parseObjectXml(text(files.object), "object.xml"),
    readHostileDns,
  ];
  const counts = { taken: 0, refused: 0 };
  for (let round = 0; round < rounds; round++) {
    const attempt = oneOf(random, attempts);
    try {
      await attempt(random);
      counts.taken++;
    } catch (error) {
      if (!(error instanceof BerthError) || error.code === "internal") throw error;
      if (errorText(error) !== error.message || error.message.length > MAX_MESSAGE) {
        throw new Error(`not one line a person can read: ${error.message.slice(0, 300)}`);
      }
      counts.refused++;
    }
  }
  return counts;
}

async function readAll(text: string, format: "csv" | "ndjson"): Promise<number> {
  let rows = 0;
  for await (const _ of readDevices(chunksOf(text), format)) rows++;
  return rows;
}

async function* chunksOf(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text);
}
