import { isLeshanConfig, parseLeshanConfig, parseProfile, profileWarnings } from "../lwm2m/index.ts";
import { parseYamlFile } from "./config.ts";

/**
 * The bootstrap profiles of a file: one of Berth's, or a file of Leshan's, which may hold one for each endpoint; those
 * go by the name of their endpoint.
 * @param name what a single profile is called
 * @throws InvalidInput
 */
export function profilesInFile(name: string, path: string): [name: string, profile: unknown][] {
  const input = parseYamlFile(path);
  if (!isLeshanConfig(input)) return [[name, parseProfile(input, path)]];
  const found = parseLeshanConfig(input, path);
  return found.kind === "single" ? [[name, found.profile]] : [...found.profiles];
}

/** Checks a profile as it is stored and handed to instances; returns what may trouble some clients. @throws InvalidInput */
export function checkStoredProfile(input: unknown, what: string): readonly string[] {
  return profileWarnings(parseProfile(input, what));
}
