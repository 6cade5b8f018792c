import { type HostAddresses, ResolveError } from "../net/index.ts";
import type { Candidate } from "./candidates.ts";
import type { Failure } from "./failure.ts";

/** A candidate and the address its name leads to. */
export interface Location {
  readonly candidate: Candidate;
  readonly address: string;
}

/**
 * The first candidate that resolves (D7).
 * @param attempt number of the attempt, from 1: of several addresses each attempt takes another
 * @param goOn asked after each name that leads nowhere
 */
export async function locate(
  candidates: Iterable<Candidate>,
  attempt: number,
  resolve: (host: string) => Promise<HostAddresses>,
  goOn: () => boolean,
): Promise<Location | Failure> {
  let failure: Failure = { cause: "name-not-found" };
  for (const candidate of candidates) {
    // A silent resolver would be as silent about the neighbours; the static host may be in its cache.
    if (failure.cause === "resolver-failed" && candidate.kind !== "static") continue;
    try {
      const address = pickAddress(await resolve(candidate.target.host), attempt);
      if (address !== undefined) return { candidate, address };
    } catch (error) {
      if (!(error instanceof ResolveError)) throw error;
      if (error.code === "resolver-failed") failure = { cause: "resolver-failed", detail: error.message };
    }
    if (!goOn()) break;
  }
  return failure;
}

/**
 * One address per attempt. A name has one per family (R5): IPv4 first, as a host with a broken IPv6 path notices
 * only by losing the attempt; the next attempt takes the other family.
 */
function pickAddress({ ipv4, ipv6 }: HostAddresses, attempt: number): string | undefined {
  const all = [...ipv4, ...ipv6.map(canonical)];
  return all[(attempt - 1) % all.length];
}

/** The one form (RFC 5952) in which sockets tell where a datagram came from. */
function canonical(ipv6: string): string {
  return new URL(`coap://[${ipv6}]`).hostname.slice(1, -1);
}
