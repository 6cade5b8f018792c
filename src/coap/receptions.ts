import type { Instant } from "../lib/clock.ts";
import { AgeList, Aging } from "./age-list.ts";
import type { Exchange } from "./exchange.ts";
import type { MessageLayer } from "./message-layer.ts";
import type { PeerState } from "./peer-state.ts";
import type { Settings } from "./settings.ts";
import type { Transmission } from "./transmission.ts";
import type { CoapPeer, Delivery, OnDelivery } from "./types.ts";

/** A message that was received and acted upon, remembered so that its duplicates are not (RFC 7252 section 4.5). */
export class Reception<Peer extends CoapPeer> extends Aging<Reception<Peer>> {
  readonly state: PeerState<Peer>;
  readonly messageId: number;
  /** What a duplicate is answered with. */
  reply: Buffer | undefined = undefined;
  /** The request of this message, as long as it can be answered. */
  exchange: Exchange<Peer> | undefined = undefined;
  /** The separate response, until it is acknowledged. */
  response: Transmission<Peer> | undefined = undefined;
  /** Wants to know what becomes of {@link response}. */
  onDelivery: OnDelivery | undefined = undefined;
  /** The peer's next newer one. */
  next: Reception<Peer> | undefined = undefined;

  constructor(state: PeerState<Peer>, messageId: number) {
    super();
    this.state = state;
    this.messageId = messageId;
  }

  /** Ends the sending of the separate response, if there is one. */
  settle(delivery: Delivery, now: Instant): void {
    const { onDelivery } = this;
    this.response?.stop();
    this.response = undefined;
    this.onDelivery = undefined;
    onDelivery?.(delivery, now);
  }
}

/**
 * All receptions of the last EXCHANGE_LIFETIME; bounded per peer and overall, where the oldest leaves first. With it ends
 * whatever is still being done about it, so that slow handlers and peers that acknowledge nothing are bounded too.
 */
export class Receptions<Peer extends CoapPeer> {
  readonly #settings: Settings;
  readonly #layer: MessageLayer<Peer>;
  readonly #byAge: AgeList<Reception<Peer>>;

  constructor(settings: Settings, layer: MessageLayer<Peer>) {
    this.#settings = settings;
    this.#layer = layer;
    this.#byAge = new AgeList(settings.exchangeLifetime);
  }

  get size(): number {
    return this.#byAge.size;
  }

  /** The reception of the peer's message `messageId`. A peer has so few that a walk is faster and smaller than a map. */
  find(state: PeerState<Peer>, messageId: number): Reception<Peer> | undefined {
    let reception = state.oldestReception;
    while (reception !== undefined && reception.messageId !== messageId) reception = reception.next;
    return reception;
  }

  /** The reception whose separate response went out as our message `messageId`. */
  ofResponse(state: PeerState<Peer>, messageId: number): Reception<Peer> | undefined {
    let reception = state.oldestReception;
    while (reception !== undefined && reception.response?.messageId !== messageId) reception = reception.next;
    return reception;
  }

  add(state: PeerState<Peer>, messageId: number, now: Instant): Reception<Peer> {
    if (state.receptions >= this.#settings.maxRememberedPerPeer) this.#removeOldest(state, now);
    const reception = new Reception(state, messageId);
    if (state.newestReception === undefined) state.oldestReception = reception;
    else state.newestReception.next = reception;
    state.newestReception = reception;
    state.receptions++;
    this.#byAge.touch(reception, now);
    if (this.#byAge.size > this.#settings.maxRemembered) this.#evict(now);
    return reception;
  }

  /** Forgets all of `state`. */
  forget(state: PeerState<Peer>, now: Instant): void {
    while (state.oldestReception !== undefined) this.#removeOldest(state, now);
  }

  expire(now: Instant): void {
    for (let oldest = this.#byAge.oldest; oldest !== undefined && oldest.expires <= now; oldest = this.#byAge.oldest) {
      this.#removeOldest(oldest.state, now);
    }
  }

  /** When {@link expire} has something to do; infinite when never. */
  nextExpiry(): Instant {
    return this.#byAge.oldest?.expires ?? Number.POSITIVE_INFINITY;
  }

  /** The oldest of all leaves, and its peer too when nothing else is kept of it: a flood from many addresses is bounded. */
  #evict(now: Instant): void {
    const state = this.#byAge.oldest?.state;
    if (state === undefined) return;
    this.#removeOldest(state, now);
    if (state.idle) this.#layer.drop(state);
  }

  /** The oldest of a peer is also the first of the peer's in the list of all: both are in the order of arrival. */
  #removeOldest(state: PeerState<Peer>, now: Instant): void {
    const reception = state.oldestReception;
    if (reception === undefined) return;
    state.oldestReception = reception.next;
    if (reception.next === undefined) state.newestReception = undefined;
    state.receptions--;
    this.#byAge.remove(reception);
    if (reception.exchange !== undefined) this.#layer.timers.disarm(reception.exchange);
    reception.exchange = undefined;
    reception.settle("cancelled", now);
  }
}
