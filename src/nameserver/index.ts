export { type ListenAddress, Nameserver, type NameserverOptions } from "./nameserver.ts";
export { Responder, type Transport } from "./responder.ts";
export type { NameserverStats, RcodeName } from "./stats.ts";
export type { TcpLimits } from "./tcp.ts";
