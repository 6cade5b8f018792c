import type { Instant } from "../lib/clock.ts";
import { ClientTransfer } from "./client-transfer.ts";
import { encode, encodeEmpty, type Message, MessageType, responseCodeOf } from "./message.ts";
import type { MessageLayer } from "./message-layer.ts";
import { readResponseOptions } from "./options.ts";
import { OutgoingRequest } from "./outgoing-request.ts";
import type { PeerState } from "./peer-state.ts";
import type { Receptions } from "./receptions.ts";
import type { Settings } from "./settings.ts";
import { Transmission } from "./transmission.ts";
import type { CancelRequest, CoapPeer, CoapRequest, OnResult, RequestResult } from "./types.ts";

/** The client's half: sends requests, one at a time per peer, and finds their responses (RFC 7252 sections 4.7 and 5.3). */
export class Requester<Peer extends CoapPeer> {
  readonly #settings: Settings;
  readonly #layer: MessageLayer<Peer>;
  readonly #receptions: Receptions<Peer>;

  constructor(settings: Settings, layer: MessageLayer<Peer>, receptions: Receptions<Peer>) {
    this.#settings = settings;
    this.#layer = layer;
    this.#receptions = receptions;
  }

  request(state: PeerState<Peer>, request: CoapRequest, now: Instant, onResult: OnResult): CancelRequest {
    const transfer = new ClientTransfer(request, this.#settings);
    const outgoing = new OutgoingRequest(this, state, request, transfer, onResult);
    if (state.active === undefined && state.waiting.length === 0) this.#start(outgoing, now);
    else state.waiting.push(outgoing);
    return (at) => this.finish(outgoing, { failure: "cancelled" }, at);
  }

  /** An acknowledgement without response: repeats no more, and waits for the response (RFC 7252 section 5.2.2). */
  acknowledged(state: PeerState<Peer>, messageId: number, now: Instant): void {
    const outgoing = state.active;
    if (outgoing?.transmission?.messageId !== messageId || outgoing.slot >= 0) return;
    outgoing.transmission.stop();
    this.#layer.timers.arm(outgoing, Math.min(now + this.#settings.responseTimeout, outgoing.giveUpAt));
  }

  /** A Reset for a message of ours. */
  rejected(state: PeerState<Peer>, messageId: number, now: Instant): void {
    const outgoing = state.active;
    if (outgoing?.transmission?.messageId === messageId) this.finish(outgoing, { failure: "reset" }, now);
  }

  /** Takes in a response; false when it is to no request of ours, or cannot be used, and is to be rejected. */
  receive(state: PeerState<Peer>, message: Message, now: Instant): boolean {
    const outgoing = state.active;
    const code = responseCodeOf(message.code);
    if (code === undefined || outgoing?.token?.equals(message.token) !== true) return false;
    if (message.type === MessageType.acknowledgement && outgoing.transmission?.messageId !== message.messageId) return false;
    const options = readResponseOptions(message.options);
    if (options.unusable) return false;
    this.#rest(outgoing);
    const result = outgoing.transfer.take(code, options, message.payload);
    if (message.type === MessageType.confirmable) {
      const reception = this.#receptions.add(state, message.messageId, now);
      reception.reply = encodeEmpty(MessageType.acknowledgement, message.messageId);
      this.#layer.send(state, reception.reply);
    }
    if (result === undefined) this.#sendNext(outgoing, now);
    else this.finish(outgoing, result, now);
    return true;
  }

  /** Ends a request, once, and starts the next one of its peer. */
  finish(outgoing: OutgoingRequest<Peer>, result: RequestResult, now: Instant): void {
    if (outgoing.done) return;
    outgoing.done = true;
    this.#rest(outgoing);
    const { state } = outgoing;
    if (state.active === outgoing) state.active = undefined;
    else if (state.waiting.includes(outgoing)) state.waiting.splice(state.waiting.indexOf(outgoing), 1);
    try {
      outgoing.onResult(result, now);
    } finally {
      this.#startNext(state, now);
    }
  }

  /** Ends all requests of a peer that was dropped. */
  forget(state: PeerState<Peer>, now: Instant): void {
    const { active, waiting } = state;
    for (const outgoing of [...(active === undefined ? [] : [active]), ...waiting]) {
      this.finish(outgoing, { failure: "cancelled" }, now);
    }
  }

  #startNext(state: PeerState<Peer>, now: Instant): void {
    if (state.active !== undefined || state.gone) return;
    const next = state.waiting.shift();
    if (next !== undefined) this.#start(next, now);
  }

  #start(outgoing: OutgoingRequest<Peer>, now: Instant): void {
    outgoing.state.active = outgoing;
    outgoing.giveUpAt = now + (outgoing.timeout ?? Number.POSITIVE_INFINITY);
    this.#sendNext(outgoing, now);
  }

  /** Sends the next message of a request. Each has a token of its own, so that a late response to an earlier block fits none. */
  #sendNext(outgoing: OutgoingRequest<Peer>, now: Instant): void {
    if (outgoing.done) return;
    const { state, method } = outgoing;
    const { options, payload } = outgoing.transfer.next();
    const messageId = this.#layer.nextId(state, now);
    const token = this.#layer.token();
    const datagram = encode(MessageType.confirmable, method, messageId, token, options, payload);
    outgoing.token = token;
    const gaveUp = (_: unknown, at: Instant): void => this.finish(outgoing, { failure: "timeout" }, at);
    outgoing.transmission = new Transmission(this.#layer, state, messageId, datagram, gaveUp, outgoing.giveUpAt);
    outgoing.transmission.start(now);
  }

  /** Stops the timers and expects no response. */
  #rest(outgoing: OutgoingRequest<Peer>): void {
    outgoing.transmission?.stop();
    this.#layer.timers.disarm(outgoing);
    outgoing.token = undefined;
  }
}
