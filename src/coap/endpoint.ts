import type { Instant } from "../lib/clock.ts";
import { InternalError } from "../lib/errors.ts";
import type { CancelRequest, CoapCounts, CoapEffects, CoapOptions, CoapPeer, CoapRequest, OnResult } from "./types.ts";

/**
 * CoAP client and server at once (RFC 7252, block-wise RFC 7959) for many peers, as a pure state machine: datagrams and
 * the time in, effects out. `now` must never go back.
 */
export class CoapEndpoint<Peer extends CoapPeer> {
  constructor(_options: CoapOptions, _effects: CoapEffects<Peer>) {}

  /** Takes in one datagram of `peer`. Never throws on what it holds; the bytes may be reused afterwards. */
  receive(_peer: Peer, _datagram: Uint8Array, _now: Instant): void {
    throw new InternalError("being built");
  }

  /**
   * Sends a request, or queues it behind the unanswered ones of the same peer (NSTART = 1, RFC 7252 section 4.7).
   * @returns the handle that cancels it
   */
  request(_peer: Peer, _request: CoapRequest, _now: Instant, _onResult: OnResult): CancelRequest {
    throw new InternalError("being built");
  }

  /** Drops all that is known of `peer`: its requests fail with `cancelled`, nothing is sent to it any more. */
  forget(_peer: Peer, _now: Instant): void {
    throw new InternalError("being built");
  }

  /** Does what is due at `now`: retransmissions, delayed acknowledgements, time-outs, forgetting. */
  tick(_now: Instant): void {
    throw new InternalError("being built");
  }

  /** When {@link tick} is wanted next; undefined when nothing is under way. */
  nextDeadline(): Instant | undefined {
    throw new InternalError("being built");
  }

  /** How much is held at present, for metrics. */
  counts(): CoapCounts {
    throw new InternalError("being built");
  }
}
