import type { Instant } from "../lib/clock.ts";
import type { CipherSuite } from "./cipher-suites.ts";
import type { OpenSsl } from "./openssl.ts";
import type { DtlsClientEvents, DtlsClientOptions } from "./types.ts";

/** One DTLS 1.2 client association: datagrams in, datagrams out. */
export declare class DtlsClient {
  constructor(openssl: OpenSsl, options: DtlsClientOptions, events: DtlsClientEvents);
  get state(): "idle" | "handshaking" | "secured" | "closed";
  get cipherSuite(): CipherSuite | undefined;
  connect(now: Instant): void;
  receive(datagram: Uint8Array, now: Instant): void;
  send(bytes: Uint8Array, now: Instant): boolean;
  close(now: Instant): void;
  tick(now: Instant): void;
  nextDeadline(): Instant | undefined;
}
