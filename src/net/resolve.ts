import { promises as dns } from "node:dns";
import { isIP } from "node:net";
import { BerthError } from "../lib/errors.ts";

/** The addresses of a host, both families asked for afresh. */
export interface HostAddresses {
  readonly ipv4: readonly string[];
  readonly ipv6: readonly string[];
}

/** A host name did not resolve. Codes `name-not-found` (NXDOMAIN or no address) and `resolver-failed`. */
export class ResolveError extends BerthError {}

const NO_SUCH_NAME: ReadonlySet<string> = new Set(["ENOTFOUND", "ENODATA"]);

/**
 * Asks for the A and AAAA records of `host`; a literal address is its own answer. Nothing is cached here.
 * @param servers resolvers as `address` or `address:port` (IPv6 in brackets); the system's if absent
 * @throws ResolveError
 */
export async function resolveHost(host: string, servers?: readonly string[]): Promise<HostAddresses> {
  const literal = host.replace(/^\[(.*)\]$/, "$1");
  if (isIP(literal) === 4) return { ipv4: [literal], ipv6: [] };
  if (isIP(literal) === 6) return { ipv4: [], ipv6: [literal] };
  const resolver = new dns.Resolver({ timeout: 2000, tries: 3 });
  if (servers !== undefined) resolver.setServers(servers);
  const [ipv4, ipv6] = await Promise.all([addressesOf(resolver.resolve4(host)), addressesOf(resolver.resolve6(host))]);
  if (ipv4.addresses.length + ipv6.addresses.length === 0) {
    const failed = ipv4.failure ?? ipv6.failure;
    // The name itself is not repeated: a temporary name is a secret while it lives.
    if (failed !== undefined) throw new ResolveError("resolver-failed", `the resolver did not answer: ${failed}`);
    throw new ResolveError("name-not-found", "the name does not exist in DNS or has no address");
  }
  return { ipv4: ipv4.addresses, ipv6: ipv6.addresses };
}

async function addressesOf(answer: Promise<string[]>): Promise<{ addresses: readonly string[]; failure?: string }> {
  try {
    return { addresses: await answer };
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "unknown";
    return NO_SUCH_NAME.has(code) ? { addresses: [] } : { addresses: [], failure: code };
  }
}
