import type { Instant } from "../lib/clock.ts";
import type { Block } from "./block.ts";
import type { Method } from "./constants.ts";
import type { RequestOptions } from "./options.ts";
import type { Reception } from "./receptions.ts";
import type { Responder } from "./responder.ts";
import { Timer } from "./timers.ts";
import type { CoapPeer, CoapResponse, IncomingRequest, OnDelivery } from "./types.ts";

/** A request that a handler answers; as a timer, the delayed acknowledgement. */
export class Exchange<Peer extends CoapPeer> extends Timer implements IncomingRequest<Peer> {
  readonly peer: Peer;
  readonly method: Method;
  readonly path: readonly string[];
  readonly query: readonly string[];
  readonly contentFormat: number | undefined;
  readonly accept: number | undefined;
  readonly uriHost: string | undefined;
  readonly payload: Uint8Array;
  readonly confirmable: boolean;

  readonly reception: Reception<Peer>;
  readonly token: Buffer;
  /** The last block of the request's body, to be confirmed in the response. */
  readonly block1: Block | undefined;
  /** The block of the response that was asked for. */
  readonly block2: Block | undefined;
  readonly #responder: Responder<Peer>;

  constructor(
    responder: Responder<Peer>,
    method: Method,
    asked: { readonly reception: Reception<Peer>; readonly confirmable: boolean; readonly token: Buffer },
    options: RequestOptions,
    payload: Uint8Array,
  ) {
    super();
    this.#responder = responder;
    this.reception = asked.reception;
    this.peer = asked.reception.state.peer;
    this.method = method;
    this.confirmable = asked.confirmable;
    this.token = asked.token;
    this.path = options.path;
    this.query = options.query;
    this.contentFormat = options.contentFormat;
    this.accept = options.accept;
    this.uriHost = options.uriHost;
    this.block1 = options.block1;
    this.block2 = options.block2;
    this.payload = payload;
  }

  get open(): boolean {
    return this.reception.exchange === this;
  }

  respond(response: CoapResponse, now: Instant, onDelivery?: OnDelivery): boolean {
    return this.#responder.respond(this, response, now, onDelivery);
  }

  expire(): void {
    this.#responder.acknowledge(this);
  }
}
