import { type Command, Option } from "commander";
import type { DialogueOptions, LwM2mVersion } from "../device/index.ts";
import { addressAndPort } from "../lib/address.ts";
import { InvalidInput } from "../lib/errors.ts";
import type { ObjectDefinitions } from "../lwm2m/index.ts";
import { hasIpHost, type Recipe } from "../naming/index.ts";
import type { Impairment } from "../net/index.ts";
import { type Config, checkScheme, findConfig, readRecipe } from "./config.ts";
import { parseResolvers, parseShare, parseSpan } from "./numbers.ts";
import { loadObjects } from "./objects.ts";

/** Options of the commands that play devices. */
export interface DeviceSideOptions {
  readonly config?: string;
  readonly server?: string;
  readonly recipe?: string;
  readonly resolver?: readonly string[];
  readonly objects?: string;
  readonly lwm2m?: LwM2mVersion;
  readonly pack?: boolean;
  readonly clockOffset?: number;
  readonly loss: number;
  readonly duplicate: number;
  readonly reorder: number;
}

/** Adds them to a command. */
export function deviceSideOptions(command: Command): Command {
  return command
    .optionsGroup("Where it bootstraps:")
    .option("-c, --config <file>", "take URI, recipe and resolver from this configuration")
    .option("--server <uri>", "static bootstrap URI, as the factory wrote it")
    .option(
      "--recipe <name|file|none>",
      "how names are made; none asks the static URI only (default: the configuration's, else berth-1; none where the server is an IP address)",
    )
    .option(
      "--resolver <address:port...>",
      "DNS resolvers to ask (default: the configuration's nameserver, else the system's)",
      parseResolvers,
    )
    .optionsGroup("How it behaves:")
    .addOption(
      new Option("--lwm2m <version>", "LwM2M version it speaks (default: 1.1; with --pack 1.2)").choices(["1.0", "1.1", "1.2"]),
    )
    .option("--objects <folder>", "OMA XML files of objects it has beside the usual ones (default: the configuration's)")
    .option("--pack", "ask for a Bootstrap-Pack first; 1.2 does")
    .option("--no-pack", "as 1.2, but ask for no Pack")
    .option("--clock-offset <time>", "a clock that is off, such as -4m", parseSpan)
    .addOption(new Option("--loss <share>", "share of datagrams lost, both ways").argParser(parseShare).default(0))
    .addOption(new Option("--duplicate <share>", "share of datagrams doubled").argParser(parseShare).default(0))
    .addOption(new Option("--reorder <share>", "share of datagrams held back").argParser(parseShare).default(0));
}

/** The world the devices find, and how they behave in it: made of flags and configuration. */
export interface DeviceSide {
  /** The static bootstrap URI, if flags or configuration say it. */
  readonly uri: string | undefined;
  readonly recipe: Recipe | undefined;
  readonly resolvers: readonly string[] | undefined;
  readonly clockOffset: number;
  readonly impairment: Impairment | undefined;
  /** How devices speak, and what they have beside the usual objects. */
  readonly behaviour: DialogueOptions & { readonly objects?: ObjectDefinitions };
}

/** @throws InvalidInput */
export function deviceSide(options: DeviceSideOptions): DeviceSide {
  const config = options.server === undefined || options.config !== undefined ? findConfig(options.config) : undefined;
  const uri = options.server ?? config?.uri;
  if (uri !== undefined) checkScheme(uri, options.server === undefined ? "uri" : "--server");
  const { loss, duplicate, reorder, lwm2m, pack } = options;
  const folder = options.objects ?? config?.objects;
  return {
    uri,
    recipe: recipeFor(uri, options.recipe, config),
    resolvers: options.resolver ?? (config && resolversOf(config)),
    clockOffset: options.clockOffset ?? 0,
    impairment: loss + duplicate + reorder > 0 ? { loss, duplicate, reorder } : undefined,
    behaviour: {
      ...(lwm2m === undefined ? {} : { version: lwm2m }),
      ...(pack === undefined ? {} : { pack }),
      ...(folder === undefined ? {} : { objects: loadObjects(folder) }),
    },
  };
}

/** The static URI of new devices. @throws InvalidInput where neither flags nor configuration say it */
export function staticUriOf({ uri }: DeviceSide): string {
  if (uri === undefined) throw new InvalidInput("--server: give the static bootstrap URI, or a --config that has it");
  return uri;
}

/** An address has no names to be found by: a device that is shown one goes there, as any LwM2M client would. */
function recipeFor(uri: string | undefined, wanted: string | undefined, config: Config | undefined): Recipe | undefined {
  if (wanted === "none") return undefined;
  if (wanted !== undefined) return readRecipe(wanted);
  if (uri !== undefined && hasIpHost(uri)) return undefined;
  return config?.recipe ?? readRecipe("berth-1");
}

/** The servers of the zone that devices' resolvers ask, as a resolver setting. */
export function resolversOf({ dns: { listen, update, transfer, observe } }: Config): string[] {
  const others = [...observe, ...(update === undefined ? [] : [update.server]), ...(transfer?.secondaries ?? [])];
  return (others.length > 0 ? others : listen).map(addressAndPort);
}
