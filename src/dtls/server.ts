import type { Instant } from "../lib/clock.ts";
import type { OpenSsl } from "./openssl.ts";
import type { Association, DtlsServerEvents, DtlsServerOptions, DtlsServerStats, Peer } from "./types.ts";

/** A DTLS 1.2 server for any number of peers: datagrams in, datagrams out. */
export declare class DtlsServer {
  constructor(openssl: OpenSsl, options: DtlsServerOptions, events: DtlsServerEvents);
  receive(peer: Peer, datagram: Uint8Array, now: Instant): void;
  tick(now: Instant): void;
  nextDeadline(): Instant | undefined;
  close(association: Association, now: Instant): void;
  free(): void;
  get stats(): DtlsServerStats;
}
