import type { Instant, Milliseconds } from "../lib/clock.ts";
import type { MessageLayer } from "./message-layer.ts";
import type { PeerState } from "./peer-state.ts";
import { Timer } from "./timers.ts";
import type { CoapPeer } from "./types.ts";

/** A confirmable message that is repeated until {@link stop} or until it is given up (RFC 7252 section 4.2). */
export class Transmission<Peer extends CoapPeer> extends Timer {
  readonly messageId: number;
  readonly #layer: MessageLayer<Peer>;
  readonly #state: PeerState<Peer>;
  readonly #datagram: Buffer;
  readonly #gaveUp: (transmission: Transmission<Peer>, now: Instant) => void;
  /** When it is given up, whatever is left of its retransmissions. */
  readonly #until: Instant;
  #timeout: Milliseconds;
  #retransmissions = 0;

  constructor(
    layer: MessageLayer<Peer>,
    state: PeerState<Peer>,
    messageId: number,
    datagram: Buffer,
    gaveUp: (transmission: Transmission<Peer>, now: Instant) => void,
    until: Instant = Number.POSITIVE_INFINITY,
  ) {
    super();
    this.messageId = messageId;
    this.#layer = layer;
    this.#state = state;
    this.#datagram = datagram;
    this.#gaveUp = gaveUp;
    this.#until = until;
    this.#timeout = layer.firstTimeout();
  }

  /** Sends it for the first time. */
  start(now: Instant): void {
    this.#layer.timers.arm(this, Math.min(now + this.#timeout, this.#until));
    this.#layer.send(this.#state, this.#datagram);
  }

  /** Ends it: acknowledged, rejected, answered or not wanted any more. */
  stop(): void {
    this.#layer.timers.disarm(this);
  }

  expire(now: Instant): void {
    if (this.#retransmissions === this.#layer.maxRetransmit || now >= this.#until) {
      this.#gaveUp(this, now);
      return;
    }
    this.#retransmissions++;
    this.#timeout *= 2;
    this.start(now);
  }
}
