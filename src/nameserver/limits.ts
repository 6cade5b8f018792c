import type { RateLimits } from "./rate-limiter.ts";
import type { TcpLimits } from "./tcp.ts";

/** What a nameserver grants its clients. */
export interface NameserverLimits extends RateLimits, TcpLimits {
  /** Networks that the rate of answers, and the number of connections of one network, is not limited for. */
  readonly exempt: readonly string[];
}

/**
 * What holds unless something else is said. 200 alike answers a second is NSD's default: a resolver that keeps answers as long
 * as it may asks for one name twice a minute, so all the resolvers of a network stay far below. 150 connections are BIND's
 * `tcp-clients`; a third of them is for one network, so that one alone cannot take all.
 */
export const LIMITS: NameserverLimits = {
  responses: 200,
  slip: 2,
  window: 15_000,
  exempt: ["127.0.0.0/8", "::1"],
  connections: 150,
  connectionsPerNetwork: 50,
  idle: 10_000,
};
