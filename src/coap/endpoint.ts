import type { Instant, Milliseconds } from "../lib/clock.ts";
import { Bodies } from "./bodies.ts";
import { decode, EMPTY_CODE, isMessage, isRequestCode, type Message, MessageType } from "./message.ts";
import { MessageLayer } from "./message-layer.ts";
import { Receptions } from "./receptions.ts";
import { Requester } from "./requester.ts";
import { Responder } from "./responder.ts";
import { settingsOf } from "./settings.ts";
import type { CancelRequest, CoapCounts, CoapEffects, CoapOptions, CoapPeer, CoapRequest, OnResult } from "./types.ts";

/** Forgetting is done once a second at most: what is forgotten has not been needed for minutes. */
const HOUSEKEEPING: Milliseconds = 1_000;

/**
 * CoAP client and server at once (RFC 7252, block-wise RFC 7959) for many peers, as a pure state machine: datagrams and
 * the time in, effects out. The time must not go back; a clock that never steps suits best.
 */
export class CoapEndpoint<Peer extends CoapPeer> {
  readonly #layer: MessageLayer<Peer>;
  readonly #receptions: Receptions<Peer>;
  readonly #bodies: Bodies<Peer>;
  readonly #requester: Requester<Peer>;
  readonly #responder: Responder<Peer>;

  /** @throws InvalidInput when an option is out of its range */
  constructor(options: CoapOptions, effects: CoapEffects<Peer>) {
    const settings = settingsOf(options);
    this.#layer = new MessageLayer(settings, (peer, datagram) => effects.send(peer, datagram));
    this.#receptions = new Receptions(settings, this.#layer);
    this.#bodies = new Bodies(settings);
    this.#requester = new Requester(settings, this.#layer, this.#receptions);
    this.#responder = new Responder(settings, this.#layer, this.#receptions, this.#bodies, (request, now) =>
      effects.request(request, now),
    );
  }

  /** Takes in one datagram of `peer`. Never throws on what it holds; the bytes may be reused afterwards. */
  receive(peer: Peer, datagram: Uint8Array, now: Instant): void {
    const decoded = decode(datagram);
    if (decoded === undefined) return;
    if (!isMessage(decoded)) {
      if (decoded.rejectedId !== undefined) this.#layer.reject(peer, decoded.rejectedId);
    } else if (decoded.type === MessageType.acknowledgement) this.#receiveAcknowledgement(peer, decoded, now);
    else if (decoded.type === MessageType.reset) this.#receiveReset(peer, decoded, now);
    else this.#receiveMessage(peer, decoded, now);
  }

  /**
   * Sends a request, or queues it behind the unanswered ones of the same peer (NSTART = 1, RFC 7252 section 4.7).
   * @returns the handle that cancels it
   * @throws InvalidInput when a path segment, query argument or host name is longer than 255 bytes
   */
  request(peer: Peer, request: CoapRequest, now: Instant, onResult: OnResult): CancelRequest {
    return this.#requester.request(this.#layer.stateOf(peer, now), request, now, onResult);
  }

  /** Drops all that is known of `peer`: its requests fail with `cancelled`, nothing is sent to it any more. */
  forget(peer: Peer, now: Instant): void {
    const state = this.#layer.known(peer);
    if (state === undefined) return;
    this.#layer.drop(state);
    this.#receptions.forget(state, now);
    this.#bodies.remove(state.partial, now);
    this.#bodies.remove(state.served, now);
    this.#requester.forget(state, now);
  }

  /** Does what is due at `now`: retransmissions, delayed acknowledgements, time-outs, forgetting. */
  tick(now: Instant): void {
    this.#layer.timers.expire(now);
    this.#receptions.expire(now);
    this.#bodies.expire(now);
    this.#layer.expire(now);
  }

  /** When {@link tick} is wanted next; undefined when nothing is kept. */
  nextDeadline(): Instant | undefined {
    const expiry = Math.min(this.#receptions.nextExpiry(), this.#bodies.nextExpiry(), this.#layer.nextExpiry());
    const deadline = Math.min(this.#layer.timers.next(), Math.ceil(expiry / HOUSEKEEPING) * HOUSEKEEPING);
    return deadline === Number.POSITIVE_INFINITY ? undefined : deadline;
  }

  /** How much is held at present, for metrics. */
  counts(): CoapCounts {
    return {
      peers: this.#layer.peerCount,
      remembered: this.#receptions.size,
      bodies: this.#bodies.size,
      timers: this.#layer.timers.size,
    };
  }

  /** An id in an acknowledgement or a Reset is one of ours (RFC 7252 section 4.4). What fits nothing is ignored. */
  #receiveAcknowledgement(peer: Peer, message: Message, now: Instant): void {
    const state = this.#layer.known(peer);
    if (state === undefined) return;
    if (message.code !== EMPTY_CODE) {
      this.#requester.receive(state, message, now);
      return;
    }
    this.#requester.acknowledged(state, message.messageId, now);
    this.#receptions.ofResponse(state, message.messageId)?.settle("delivered", now);
  }

  #receiveReset(peer: Peer, message: Message, now: Instant): void {
    const state = this.#layer.known(peer);
    if (state === undefined || message.code !== EMPTY_CODE) return;
    this.#requester.rejected(state, message.messageId, now);
    this.#receptions.ofResponse(state, message.messageId)?.settle("reset", now);
  }

  /** A confirmable or non-confirmable message; its id is one of the peer's. What fits nothing is rejected (section 4.2). */
  #receiveMessage(peer: Peer, message: Message, now: Instant): void {
    const isRequest = isRequestCode(message.code);
    const state = isRequest ? this.#layer.stateOf(peer, now) : this.#layer.known(peer);
    const earlier = state === undefined ? undefined : this.#receptions.find(state, message.messageId);
    if (state !== undefined && earlier !== undefined) {
      if (earlier.reply !== undefined) this.#layer.send(state, earlier.reply);
    } else if (state !== undefined && isRequest) this.#responder.receive(state, message, now);
    else if (state === undefined || !this.#requester.receive(state, message, now)) {
      if (message.type === MessageType.confirmable) this.#layer.reject(peer, message.messageId);
    }
  }
}
