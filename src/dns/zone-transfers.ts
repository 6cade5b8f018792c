/** What a hidden primary gives to its secondaries (RFC 5936, RFC 1995, RFC 1996). The nameserver asks it; it holds no socket. */
export interface ZoneTransfers {
  /** Serial of the zone's SOA, in all answers. */
  readonly serial: number;
  /**
   * Answers a message that is signed by TSIG, or asks for AXFR or IXFR.
   * @param message one DNS message
   * @param transport over UDP, one datagram is all the answer (RFC 1995 section 2)
   * @returns the messages of the answer in their order, without length prefixes, as fast as they are taken; none at all for a
   *   message that gets no answer
   */
  respond(message: Uint8Array, transport: "udp" | "tcp"): AsyncIterable<Uint8Array>;
}
