import { Aging } from "./age-list.ts";
import type { PartialBody, ServedBody } from "./bodies.ts";
import type { OutgoingRequest } from "./outgoing-request.ts";
import type { Reception } from "./receptions.ts";
import type { CoapPeer } from "./types.ts";

/** All that is kept of one peer. It leaves EXCHANGE_LIFETIME after the last message id was used in either direction. */
export class PeerState<Peer extends CoapPeer> extends Aging<PeerState<Peer>> {
  /** As the latest call named it. */
  peer: Peer;
  /** The id of our next message; ids of the other direction are a space of their own (RFC 7252 section 4.4). */
  nextId: number;
  /** Whether it was dropped, so that what still refers to it does nothing any more. */
  gone = false;

  /** The request that is under way; all others wait (NSTART = 1). */
  active: OutgoingRequest<Peer> | undefined = undefined;
  readonly waiting: OutgoingRequest<Peer>[] = [];

  /** The messages remembered against duplicates, a chain from the oldest to the newest. */
  oldestReception: Reception<Peer> | undefined = undefined;
  newestReception: Reception<Peer> | undefined = undefined;
  receptions = 0;
  /** The body the peer is sending block by block. */
  partial: PartialBody<Peer> | undefined = undefined;
  /** The body the peer is fetching block by block. */
  served: ServedBody<Peer> | undefined = undefined;

  constructor(peer: Peer, firstId: number) {
    super();
    this.peer = peer;
    this.nextId = firstId;
  }

  /** Whether no exchange of its needs it. */
  get idle(): boolean {
    return this.active === undefined && this.receptions === 0;
  }
}
