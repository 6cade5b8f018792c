import { InvalidInput } from "../lib/errors.ts";
import type { JsonClientOptions } from "../net/index.ts";
import { readText } from "./config.ts";
import type { HttpCredentials } from "./config-schema.ts";
import { readCertificates, readPair } from "./pem-files.ts";

/**
 * Reads the files by which this host and the server of another party prove themselves to each other.
 * @param where the section of the configuration that names them
 * @throws InvalidInput naming the key and the file
 */
export function readHttpCredentials(
  where: string,
  { token, ca, certificate, key }: HttpCredentials,
): Pick<JsonClientOptions, "token" | "ca" | "certificate" | "key"> {
  const pair =
    certificate === undefined || key === undefined
      ? undefined
      : readPair([`${where}.certificate`, certificate], [`${where}.key`, key]);
  return {
    ...(token === undefined ? {} : { token: readToken(`${where}.token`, token) }),
    ...(ca === undefined ? {} : { ca: readCertificates(`${where}.ca`, ca) }),
    ...(pair === undefined ? {} : { certificate: pair.certificate, key: pair.privateKey }),
  };
}

function readToken(key: string, path: string): string {
  const token = readText(path, key).trim();
  if (token === "") throw new InvalidInput(`${key}: ${path} is empty`);
  return token;
}
