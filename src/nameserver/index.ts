export { LIMITS, type NameserverLimits } from "./limits.ts";
export { type ListenAddress, Nameserver, type NameserverOptions } from "./nameserver.ts";
export { ALIKE, RateLimiter, type RateLimits, type Verdict } from "./rate-limiter.ts";
export { Responder, type ResponderOptions } from "./responder.ts";
export { type CookieVerdict, ServerCookies } from "./server-cookies.ts";
export { SipHash } from "./siphash.ts";
export { Networks, Source, type Transport } from "./source.ts";
export type { NameserverStats, RcodeName } from "./stats.ts";
export type { TcpLimits } from "./tcp.ts";
