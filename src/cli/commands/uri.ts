import type { Command } from "commander";
import { fromHex } from "../../lib/bytes.ts";
import { InvalidInput } from "../../lib/errors.ts";
import { BUILT_IN_RECIPES, stepAt, temporaryUri, usesCounter } from "../../naming/index.ts";
import { findConfig, readRecipe } from "../config.ts";
import { parseCounter } from "../numbers.ts";
import { print } from "../terminal.ts";

interface UriOptions {
  readonly config?: string;
  readonly recipe?: string;
  readonly uri?: string;
  readonly endpoint: string;
  readonly secret: string;
  readonly at?: string;
  readonly counter?: string;
  readonly json?: true;
}

/** `berth uri`: what a device computes. */
export function addUri(program: Command): void {
  program
    .command("uri")
    .description("print the temporary bootstrap URI of one device")
    .option("-c, --config <file>", "take URI and recipe from this configuration (default: berth.yaml, if there is one)")
    .option("--recipe <name|file>", `how names are made: ${[...BUILT_IN_RECIPES.keys()].join(", ")}, or a JSON or YAML file`)
    .option("--uri <uri>", "static bootstrap URI; {token} marks where the token goes, else behind the first label")
    .requiredOption("--endpoint <name>", "endpoint client name")
    .requiredOption("--secret <hex>", "the secret that device and balancer share")
    .option("--at <instant>", "for this time instead of now, such as 2026-01-01T10:29:00Z")
    .option("--counter <n>", "for recipes that count")
    .option("--json", "print uri, host, token and step as JSON")
    .addHelpText(
      "after",
      `
Example:
  berth uri --recipe ni-3 --uri coaps://bs.myserver.com --endpoint urn:dev:1 \\
            --secret 00112233445566778899aabbccddeeff --at 2026-01-01T10:29:00Z`,
    )
    .action((options: UriOptions) => {
      const config = options.uri !== undefined && options.config === undefined ? undefined : findConfig(options.config);
      const staticUri = options.uri ?? config?.uri;
      if (staticUri === undefined) throw new InvalidInput("--uri: give the static bootstrap URI, or a --config that has it");
      const recipe = options.recipe === undefined ? (config?.recipe ?? readRecipe("berth-1")) : readRecipe(options.recipe);
      const instant = options.at === undefined ? Date.now() : Date.parse(options.at);
      if (Number.isNaN(instant))
        throw new InvalidInput(`--at: "${options.at}" is no time; write for example 2026-01-01T10:29:00Z`);
      const counter = usesCounter(recipe) ? { counter: counterOf(options.counter) } : {};
      const secret = fromHex(options.secret, "--secret");
      const result = temporaryUri(recipe, staticUri, { secret, endpoint: options.endpoint, instant, ...counter });
      const { uri, host, token } = result;
      print(options.json ? JSON.stringify({ uri, host, token, step: stepAt(recipe, { instant, ...counter }) }) : uri);
    });
}

function counterOf(text: string | undefined): number {
  if (text === undefined) throw new InvalidInput("--counter: the recipe counts, so say at which number");
  return parseCounter(text);
}
