import type { DtlsServer, Peer } from "../dtls/index.ts";
import type { Instant } from "../lib/clock.ts";
import type { Admission } from "./admission.ts";

/**
 * Stands between a socket and its DTLS server: ClientHellos that admission refuses wait for their turn. The server asks
 * {@link admits} and {@link admit}; datagrams go through {@link receive}.
 */
export class Gate {
  readonly #admission: Admission;
  /** Tells peers of this listener from those of others. */
  readonly #name: string;
  #refused: "stranger" | "proven" | undefined;

  constructor(admission: Admission, name: string) {
    this.#admission = admission;
    this.#name = name;
  }

  /** For `DtlsServerOptions.admits`. */
  admits(now: Instant): boolean {
    const yes = this.#admission.admits(now);
    if (!yes) this.#refused = "stranger";
    return yes;
  }

  /** For `DtlsServerOptions.admit`. */
  admit(now: Instant): boolean {
    const yes = this.#admission.admit(now);
    if (!yes) this.#refused = "proven";
    return yes;
  }

  /** Hands a datagram to the server. */
  receive(server: DtlsServer, peer: Peer, datagram: Uint8Array, now: Instant): void {
    this.#refused = undefined;
    server.receive(peer, datagram, now);
    if (this.#refused === undefined) return;
    const again = (later: Instant): void => this.receive(server, peer, datagram, later);
    this.#admission.wait(`${this.#name} ${peer.key}`, this.#refused === "proven", again, now);
  }
}
