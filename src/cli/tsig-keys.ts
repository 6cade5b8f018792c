import type { TsigAlgorithm, TsigKey } from "../dns/index.ts";
import { InvalidInput } from "../lib/errors.ts";
import { type Config, readText } from "./config.ts";

/** RFC 8945 section 8: not shorter than the hash, whatever a server would take. */
const MIN_SECRET = 16;

/**
 * Reads a key of `dns.keys`: the secret in base64, or BIND's `key` clause as `tsig-keygen` writes it, which must agree with
 * what the configuration says.
 * @throws InvalidInput naming key and file, never the secret
 */
export function readTsigKey({ dns }: Pick<Config, "dns">, name: string): TsigKey {
  const config = dns.keys[name];
  if (config === undefined) throw new InvalidInput(`dns.keys: there is no "${name}"`);
  const { algorithm, file } = config;
  const where = `dns.keys.${name}.file`;
  const text = readText(file, where).trim();
  const clause = /^key\s+"?([^"\s{]+)"?\s*\{([^}]*)\}/m.exec(text);
  if (clause !== null) checkClause(where, { name, algorithm }, clause);
  const secret = clause === null ? text : (/secret\s+"([^"]*)"/.exec(clause[2] ?? "")?.[1] ?? "");
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(secret)) {
    throw new InvalidInput(`${where}: ${file} holds neither a secret in base64 nor a key clause of BIND`);
  }
  const bytes = new Uint8Array(Buffer.from(secret, "base64"));
  if (bytes.length < MIN_SECRET) {
    throw new InvalidInput(`${where}: the secret in ${file} has ${bytes.length} bytes; at least ${MIN_SECRET} are needed`);
  }
  return { name, algorithm, secret: bytes };
}

/** What the file says of name and algorithm is what the server goes by. */
function checkClause(
  where: string,
  key: { name: string; algorithm: TsigAlgorithm },
  [, name = "", body = ""]: RegExpExecArray,
): void {
  const plain = (text: string): string => text.toLowerCase().replace(/\.$/, "");
  if (plain(name) !== plain(key.name)) throw new InvalidInput(`${where}: the key there is called "${name}", not "${key.name}"`);
  const algorithm = /algorithm\s+"?([^";\s]+)/.exec(body)?.[1] ?? key.algorithm;
  if (plain(algorithm) !== key.algorithm) {
    throw new InvalidInput(`${where}: the key there is of ${algorithm}, the configuration says ${key.algorithm}`);
  }
}
