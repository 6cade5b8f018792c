import type { Instant } from "../lib/clock.ts";
import { AgeList, Aging } from "./age-list.ts";
import { BodyBuffer } from "./block.ts";
import type { PeerState } from "./peer-state.ts";
import type { Settings } from "./settings.ts";
import type { CoapPeer, CoapResponse, Delivery, OnDelivery } from "./types.ts";

/** A body in block-wise transfer between a peer and us as its server. */
abstract class Body<Peer extends CoapPeer> extends Aging<Body<Peer>> {
  readonly state: PeerState<Peer>;
  /** The request it belongs to; all blocks of a transfer have the same. */
  readonly key: string;

  constructor(state: PeerState<Peer>, key: string) {
    super();
    this.state = state;
    this.key = key;
  }

  /** It is kept no more. */
  abstract detach(now: Instant): void;
}

/** The beginning of a request's body (Block1). */
export class PartialBody<Peer extends CoapPeer> extends Body<Peer> {
  readonly contentFormat: number | undefined;
  readonly received: BodyBuffer;

  constructor(state: PeerState<Peer>, key: string, contentFormat: number | undefined, limit: number) {
    super(state, key);
    this.contentFormat = contentFormat;
    this.received = new BodyBuffer(limit);
  }

  detach(): void {
    this.state.partial = undefined;
  }
}

/** A response of which the peer fetches the further blocks (Block2). */
export class ServedBody<Peer extends CoapPeer> extends Body<Peer> {
  readonly response: CoapResponse;
  readonly payload: Uint8Array;
  readonly etag: Buffer;
  #onDelivery: OnDelivery | undefined;

  constructor(
    state: PeerState<Peer>,
    key: string,
    response: CoapResponse,
    payload: Uint8Array,
    etag: Buffer,
    onDelivery: OnDelivery | undefined,
  ) {
    super(state, key);
    this.response = response;
    this.payload = payload;
    this.etag = etag;
    this.#onDelivery = onDelivery;
  }

  /** Whether somebody waits to hear that it was delivered. */
  get awaited(): boolean {
    return this.#onDelivery !== undefined;
  }

  /** Says what became of it, once. */
  settle(delivery: Delivery, now: Instant): void {
    const onDelivery = this.#onDelivery;
    this.#onDelivery = undefined;
    onDelivery?.(delivery, now);
  }

  detach(now: Instant): void {
    if (this.state.served === this) this.state.served = undefined;
    this.settle("cancelled", now);
  }
}

/** The bodies of all peers: one in each direction per peer, `maxBodies` overall, each for EXCHANGE_LIFETIME since its last block. */
export class Bodies<Peer extends CoapPeer> {
  readonly #settings: Settings;
  readonly #byLastUse: AgeList<Body<Peer>>;

  constructor(settings: Settings) {
    this.#settings = settings;
    this.#byLastUse = new AgeList(settings.exchangeLifetime);
  }

  get size(): number {
    return this.#byLastUse.size;
  }

  /** Begins the body of a request, in the place of an unfinished one of the same peer. */
  begin(state: PeerState<Peer>, key: string, contentFormat: number | undefined, now: Instant): PartialBody<Peer> {
    this.remove(state.partial, now);
    const body = new PartialBody(state, key, contentFormat, this.#settings.maxBody);
    state.partial = body;
    this.touch(body, now);
    return body;
  }

  /** Keeps a response whose further blocks will be asked for, in the place of an older one of the same peer. */
  serve(body: ServedBody<Peer>, now: Instant): void {
    if (body.state.served !== body) this.remove(body.state.served, now);
    body.state.served = body;
    this.touch(body, now);
  }

  /** Notes that a block of `body` came or went. */
  touch(body: Body<Peer>, now: Instant): void {
    this.#byLastUse.touch(body, now);
    if (this.#byLastUse.size > this.#settings.maxBodies) this.remove(this.#byLastUse.oldest, now);
  }

  remove(body: Body<Peer> | undefined, now: Instant): void {
    if (body === undefined) return;
    this.#byLastUse.remove(body);
    body.detach(now);
  }

  expire(now: Instant): void {
    for (let body = this.#byLastUse.oldest; body !== undefined && body.expires <= now; body = this.#byLastUse.oldest) {
      this.remove(body, now);
    }
  }

  /** When {@link expire} has something to do; infinite when never. */
  nextExpiry(): Instant {
    return this.#byLastUse.oldest?.expires ?? Number.POSITIVE_INFINITY;
  }
}
