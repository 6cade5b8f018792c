import type { Instant, Milliseconds } from "../lib/clock.ts";
import { AgeList } from "./age-list.ts";
import { encodeEmpty, MessageType } from "./message.ts";
import { PeerState } from "./peer-state.ts";
import { RandomPool } from "./random-pool.ts";
import type { Settings } from "./settings.ts";
import { TimerHeap } from "./timers.ts";
import type { CoapPeer } from "./types.ts";

/** RFC 7252 section 4 for all peers: peers, message ids, timers, randomness. */
export class MessageLayer<Peer extends CoapPeer> {
  readonly timers: TimerHeap = new TimerHeap();
  readonly maxRetransmit: number;
  readonly #settings: Settings;
  readonly #random: RandomPool;
  readonly #send: (peer: Peer, datagram: Uint8Array) => void;
  readonly #peers = new Map<string, PeerState<Peer>>();
  readonly #byLastUse: AgeList<PeerState<Peer>>;

  constructor(settings: Settings, send: (peer: Peer, datagram: Uint8Array) => void) {
    this.#settings = settings;
    this.maxRetransmit = settings.maxRetransmit;
    this.#random = new RandomPool(settings.random);
    this.#send = send;
    this.#byLastUse = new AgeList(settings.exchangeLifetime);
  }

  get peerCount(): number {
    return this.#peers.size;
  }

  /** What is kept of `peer`, if anything. */
  known(peer: Peer): PeerState<Peer> | undefined {
    const state = this.#peers.get(peer.key);
    if (state !== undefined) state.peer = peer;
    return state;
  }

  /** What is kept of `peer`, from now on if not before. Message ids start at random (RFC 7252 section 4.4). */
  stateOf(peer: Peer, now: Instant): PeerState<Peer> {
    let state = this.known(peer);
    if (state === undefined) {
      state = new PeerState(peer, this.#random.uint16());
      this.#peers.set(peer.key, state);
    }
    this.#byLastUse.touch(state, now);
    return state;
  }

  /**
   * An id for a message of ours. At more than 265 messages a second to one peer for 247 s an id would come back too early;
   * nothing that waits for answers gets there.
   */
  nextId(state: PeerState<Peer>, now: Instant): number {
    this.#byLastUse.touch(state, now);
    const id = state.nextId;
    state.nextId = (id + 1) & 0xffff;
    return id;
  }

  /** A token nobody can guess (RFC 7252 section 5.3.1). */
  token(): Buffer {
    return this.#random.bytes(this.#settings.tokenLength);
  }

  /** The time until the first retransmission: ACK_TIMEOUT to ACK_TIMEOUT times ACK_RANDOM_FACTOR, whole milliseconds. */
  firstTimeout(): Milliseconds {
    const { ackTimeout, ackRandomFactor } = this.#settings;
    return Math.round(ackTimeout * (1 + (ackRandomFactor - 1) * this.#random.uniform()));
  }

  send(state: PeerState<Peer>, datagram: Buffer): void {
    this.#send(state.peer, datagram);
  }

  /** Answers a message that makes no sense here with a Reset; nothing is remembered of it. */
  reject(peer: Peer, messageId: number): void {
    this.#send(peer, encodeEmpty(MessageType.reset, messageId));
  }

  drop(state: PeerState<Peer>): void {
    state.gone = true;
    this.#byLastUse.remove(state);
    this.#peers.delete(state.peer.key);
  }

  /** Drops the peers whose message ids of old cannot matter any more. */
  expire(now: Instant): void {
    for (let state = this.#byLastUse.oldest; state !== undefined && state.expires <= now; state = this.#byLastUse.oldest) {
      if (state.idle) this.drop(state);
      else this.#byLastUse.touch(state, now);
    }
  }

  /** When {@link expire} has something to do; infinite when never. */
  nextExpiry(): Instant {
    return this.#byLastUse.oldest?.expires ?? Number.POSITIVE_INFINITY;
  }
}
