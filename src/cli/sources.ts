import { LeshanSource } from "../balancer/index.ts";
import type { Milliseconds } from "../lib/clock.ts";
import { errorText, InvalidInput } from "../lib/errors.ts";
import { breathe } from "../net/index.ts";
import type { SourceConfig } from "./config-schema.ts";
import { readHttpCredentials } from "./http-credentials.ts";

/** A source of devices, and how often it is asked. */
export interface OpenSource {
  readonly source: LeshanSource;
  readonly every: Milliseconds;
}

/**
 * Makes the sources of devices of the configuration ready; none is called yet.
 * @throws InvalidInput naming the source and the key
 */
export function openSources(sources: Readonly<Record<string, SourceConfig>>): readonly OpenSource[] {
  return Object.entries(sources).map(([name, config]) => ({ source: open(name, config), every: config.every }));
}

function open(name: string, config: SourceConfig): LeshanSource {
  const where = `sources.${name}`;
  const { url, profile, group } = config;
  const options = { name, url, terms: { profile, group }, breathe, ...readHttpCredentials(where, config) };
  try {
    return new LeshanSource(options);
  } catch (error) {
    throw new InvalidInput(`${where}: ${errorText(error)}`, { cause: error });
  }
}
