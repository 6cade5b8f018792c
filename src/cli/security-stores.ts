import { LeshanSecurityStore } from "../bootstrap/index.ts";
import { errorText, InvalidInput } from "../lib/errors.ts";
import type { SecurityStoreConfig } from "./config-schema.ts";
import { readHttpCredentials } from "./http-credentials.ts";

/**
 * Opens the security stores of the configuration, by name.
 * @throws InvalidInput naming the store and the key
 */
export function openSecurityStores(
  stores: Readonly<Record<string, SecurityStoreConfig>>,
): ReadonlyMap<string, LeshanSecurityStore> {
  return new Map(Object.entries(stores).map(([name, config]) => [name, open(`securityStores.${name}`, config)]));
}

function open(where: string, config: SecurityStoreConfig): LeshanSecurityStore {
  const options = { url: config.url, ...readHttpCredentials(where, config) };
  try {
    return new LeshanSecurityStore(options);
  } catch (error) {
    throw new InvalidInput(`${where}: ${errorText(error)}`, { cause: error });
  }
}
