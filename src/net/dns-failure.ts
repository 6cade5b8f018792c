import { addressAndPort } from "../lib/address.ts";
import { BerthError, errorText } from "../lib/errors.ts";

/** Where a DNS server is reached. */
export interface DnsServer {
  /** A literal IPv4 or IPv6 address. */
  readonly address: string;
  readonly port: number;
}

/**
 * A DNS server gave no answer. Code `timeout`, `connection-refused`, `connection-lost` (which is also what it is when the network
 * leads nowhere), or `malformed` for bytes that are no DNS message.
 */
export class DnsFailure extends BerthError {}

/** The failure that a fault of a socket is. */
export function dnsFailure(server: DnsServer, error: NodeJS.ErrnoException): DnsFailure {
  const code = error.code === "ECONNREFUSED" ? "connection-refused" : "connection-lost";
  return new DnsFailure(code, `${serverText(server)}: ${errorText(error)}`, { cause: error });
}

/** A server as errors say it. */
export function serverText(server: DnsServer): string {
  return `DNS server ${addressAndPort(server)}`;
}
