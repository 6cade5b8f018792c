import type { TsigKey } from "../dns/index.ts";
import { InvalidInput } from "../lib/errors.ts";
import { type Config, readText } from "./config.ts";

/** RFC 8945 section 8: not shorter than the hash, whatever a server would take. */
const MIN_SECRET = 16;

/**
 * Reads a key of `dns.keys`: the secret in base64, or the key as BIND (`tsig-keygen`), Knot (`keymgr -t`) or NSD write it, which
 * must agree with what the configuration says.
 * @throws InvalidInput naming key and file, never the secret
 */
export function readTsigKey({ dns }: Pick<Config, "dns">, name: string): TsigKey {
  const config = dns.keys[name];
  if (config === undefined) throw new InvalidInput(`dns.keys: there is no "${name}"`);
  const { algorithm, file } = config;
  const where = `dns.keys.${name}.file`;
  const text = readText(file, where).trim();
  const find = (pattern: RegExp): string | undefined => pattern.exec(text)?.[1];
  const written = find(/\bsecret:?\s+"?([A-Za-z0-9+/=]+)"?/);
  if (written !== undefined) {
    const plain = (value: string): string => value.toLowerCase().replace(/\.$/, "");
    const named = find(/(?:^key\s+|\b(?:id|name):\s*)"?([^"\s{]+)"?/m) ?? name;
    if (plain(named) !== plain(name)) throw new InvalidInput(`${where}: the key there is called "${named}", not "${name}"`);
    const hashed = find(/\balgorithm:?\s+"?([^";\s]+)/) ?? algorithm;
    if (plain(hashed) !== algorithm) {
      throw new InvalidInput(`${where}: the key there is of ${hashed}, the configuration says ${algorithm}`);
    }
  }
  const secret = written ?? text;
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(secret)) {
    throw new InvalidInput(`${where}: ${file} holds neither a secret in base64 nor a key of BIND, Knot or NSD`);
  }
  const bytes = new Uint8Array(Buffer.from(secret, "base64"));
  if (bytes.length < MIN_SECRET) {
    throw new InvalidInput(`${where}: the secret in ${file} has ${bytes.length} bytes; at least ${MIN_SECRET} are needed`);
  }
  return { name, algorithm, secret: bytes };
}
