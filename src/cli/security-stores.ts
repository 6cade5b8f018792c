import { LeshanSecurityStore } from "../bootstrap/index.ts";
import { errorText, InvalidInput } from "../lib/errors.ts";
import { readText } from "./config.ts";
import type { SecurityStoreConfig } from "./config-schema.ts";
import { readCertificates, readPair } from "./pem-files.ts";

/**
 * Opens the security stores of the configuration, by name.
 * @throws InvalidInput naming the store and the key
 */
export function openSecurityStores(
  stores: Readonly<Record<string, SecurityStoreConfig>>,
): ReadonlyMap<string, LeshanSecurityStore> {
  return new Map(Object.entries(stores).map(([name, config]) => [name, open(`securityStores.${name}`, config)]));
}

function open(where: string, { url, token, ca, certificate, key }: SecurityStoreConfig): LeshanSecurityStore {
  const pair =
    certificate === undefined || key === undefined
      ? undefined
      : readPair([`${where}.certificate`, certificate], [`${where}.key`, key]);
  const options = {
    url,
    ...(token === undefined ? {} : { token: readToken(`${where}.token`, token) }),
    ...(ca === undefined ? {} : { ca: readCertificates(`${where}.ca`, ca) }),
    ...(pair === undefined ? {} : { certificate: pair.certificate, key: pair.privateKey }),
  };
  try {
    return new LeshanSecurityStore(options);
  } catch (error) {
    throw new InvalidInput(`${where}: ${errorText(error)}`, { cause: error });
  }
}

function readToken(key: string, path: string): string {
  const token = readText(path, key).trim();
  if (token === "") throw new InvalidInput(`${key}: ${path} is empty`);
  return token;
}
