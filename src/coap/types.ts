import type { Instant, Milliseconds } from "../lib/clock.ts";
import type { Random } from "../lib/random.ts";
import type { Method, ResponseCode } from "./constants.ts";

/** The other end of an exchange: an address and port, or a DTLS association. Two peers are one when their keys are equal. */
export interface CoapPeer {
  readonly key: string;
}

/** A request to send. It always goes out as a confirmable message, as LwM2M wants it. */
export interface CoapRequest {
  readonly method: Method;
  /** Uri-Path segments, not escaped: `["0", "1"]`. Empty for the root. */
  readonly path: readonly string[];
  /** Uri-Query arguments, not escaped: `["ep=urn:dev:1"]`. */
  readonly query?: readonly string[] | undefined;
  /** Content-Format of the payload, a number of the CoAP Content-Formats registry. */
  readonly contentFormat?: number | undefined;
  readonly accept?: number | undefined;
  readonly uriHost?: string | undefined;
  /** The whole body; what is longer than one block is sent with Block1 (RFC 7959). */
  readonly payload?: Uint8Array | undefined;
  /**
   * How long it may take from its first message on, with all blocks, repetitions and waiting; then it fails with
   * `timeout`. Without it the transmission parameters alone say.
   */
  readonly timeout?: Milliseconds | undefined;
}

/** A response to send. */
export interface CoapResponse {
  readonly code: ResponseCode;
  readonly contentFormat?: number | undefined;
  /** Max-Age in seconds; without it the receiver assumes 60 (RFC 7252 section 5.10.5). */
  readonly maxAge?: number | undefined;
  /** The whole body; what is longer than one block is served with Block2 (RFC 7959). */
  readonly payload?: Uint8Array | undefined;
}

/** A response that was received, its body put together from all blocks. */
export interface ReceivedResponse extends CoapResponse {
  readonly payload: Uint8Array;
}

/** Why a request got no response. */
export type RequestFailure =
  /** Never acknowledged, or acknowledged and then not answered in time. */
  | "timeout"
  /** The peer rejected the request message with a Reset. */
  | "reset"
  /** Cancelled by its handle, or the peer was forgotten. */
  | "cancelled"
  /** The body of the response exceeds `maxBody`. */
  | "too-large"
  /** The blocks of the response do not fit together: a wrong number, or the resource changed in between. */
  | "incomplete";

export type RequestResult = { readonly response: ReceivedResponse } | { readonly failure: RequestFailure };

/** Called exactly once per request. `now` is that of the call that brought the result. */
export type OnResult = (result: RequestResult, now: Instant) => void;

/** Gives up a request; its {@link OnResult} hears `cancelled`. Does nothing once there is a result. */
export type CancelRequest = (now: Instant) => void;

/** What became of a response whose sender wants to know. */
export type Delivery =
  /** The peer has acknowledged it; of a body in blocks, the last block. */
  | "delivered"
  /** The peer has acknowledged none of its transmissions. */
  | "timeout"
  /** The peer has answered it with a Reset. */
  | "reset"
  /** It was given up: the peer was forgotten, or did not fetch the rest of the body. */
  | "cancelled";

/** Called exactly once per response. `now` is that of the call that brought the news. */
export type OnDelivery = (delivery: Delivery, now: Instant) => void;

/** A request that was received whole, to be answered with {@link IncomingRequest.respond}. */
export interface IncomingRequest<Peer extends CoapPeer> {
  readonly peer: Peer;
  readonly method: Method;
  /** Uri-Path segments: `["bs"]`. Empty for the root. */
  readonly path: readonly string[];
  /** Uri-Query arguments: `["ep=urn:dev:1", "pct=112"]`. */
  readonly query: readonly string[];
  readonly contentFormat: number | undefined;
  readonly accept: number | undefined;
  /** As sent; host names are compared without case. */
  readonly uriHost: string | undefined;
  /** The whole body, a copy of its own. */
  readonly payload: Uint8Array;
  readonly confirmable: boolean;
  /** Whether it can still be answered. */
  readonly open: boolean;
  /**
   * Answers, now or later. When the response is ready within `ackDelay` it rides on the acknowledgement, otherwise it
   * follows as a message of its own (RFC 7252 section 5.2).
   * @param onDelivery wants to know whether it arrives. An acknowledgement is never acknowledged, so the response then
   * always follows as a confirmable message of its own; of a body in blocks, the last block does
   * @returns false when it cannot be sent any more: answered before, the peer forgotten, or EXCHANGE_LIFETIME is over;
   * `onDelivery` is not called then
   */
  respond(response: CoapResponse, now: Instant, onDelivery?: OnDelivery): boolean;
}

/** What the endpoint wants done; `net/` or a DTLS association does it. */
export interface CoapEffects<Peer extends CoapPeer> {
  /** Sends one datagram; it may get lost. The bytes must not be changed. */
  send(peer: Peer, datagram: Uint8Array): void;
  /** Handles a request of a peer; called once for each request, however often its message arrives. */
  request(request: IncomingRequest<Peer>, now: Instant): void;
}

export interface CoapOptions {
  readonly random: Random;
  /** RFC 7252 section 4.8. Default 2 s. */
  readonly ackTimeout?: Milliseconds;
  /** RFC 7252 section 4.8. Default 1.5. */
  readonly ackRandomFactor?: number;
  /** RFC 7252 section 4.8. Default 4. */
  readonly maxRetransmit?: number;
  /** How long a handler may take until its request is acknowledged with an empty message. Default 500 ms. */
  readonly ackDelay?: Milliseconds;
  /** How long to wait for the response after an empty acknowledgement. Default EXCHANGE_LIFETIME. */
  readonly responseTimeout?: Milliseconds;
  /** Random bytes in a token, 4 to 8. Default 8 (RFC 7252 section 5.3.1). */
  readonly tokenLength?: number;
  /** The largest block to send or ask for: 16, 32, 64, 128, 256, 512 or 1024 bytes. Default 1024. */
  readonly blockSize?: number;
  /** The largest body to put together from blocks, in bytes. Default 64 KiB. */
  readonly maxBody?: number;
  /** How many bodies in transfer are kept as server, over all peers; the least recently used leaves. Default 1000. */
  readonly maxBodies?: number;
  /** How many messages are remembered against duplicates, over all peers; the oldest leaves. Default 262144. */
  readonly maxRemembered?: number;
  /** The same for one peer. Default 64. */
  readonly maxRememberedPerPeer?: number;
}

/** How much the endpoint holds at present. */
export interface CoapCounts {
  /** Peers with any state. */
  readonly peers: number;
  /** Messages remembered against duplicates. */
  readonly remembered: number;
  /** Bodies in block-wise transfer, as server. */
  readonly bodies: number;
  /** Running timers: retransmissions, waits for a response, delayed acknowledgements. */
  readonly timers: number;
}
