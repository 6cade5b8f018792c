import { createHash } from "node:crypto";
import type { Instant } from "../lib/clock.ts";
import { type Block, cut, offsetOf } from "./block.ts";
import { type Bodies, ServedBody } from "./bodies.ts";
import { Code, type Method } from "./constants.ts";
import { Exchange } from "./exchange.ts";
import { copyOf, encode, encodeEmpty, type Message, MessageType, methodOf, NOTHING } from "./message.ts";
import type { MessageLayer } from "./message-layer.ts";
import { type BlockOptions, type RequestOptions, readRequestOptions, writeResponseOptions } from "./options.ts";
import type { PeerState } from "./peer-state.ts";
import type { Reception, Receptions } from "./receptions.ts";
import type { Settings } from "./settings.ts";
import { Transmission } from "./transmission.ts";
import type { CoapPeer, CoapResponse, IncomingRequest, OnDelivery } from "./types.ts";

/** What a response needs to know of its request's message. */
interface Asked<Peer extends CoapPeer> {
  readonly reception: Reception<Peer>;
  readonly confirmable: boolean;
  readonly token: Buffer;
}

/** The server's half: puts requests together, has them handled, and sends the responses (RFC 7252 section 5.2, RFC 7959). */
export class Responder<Peer extends CoapPeer> {
  readonly #settings: Settings;
  readonly #layer: MessageLayer<Peer>;
  readonly #receptions: Receptions<Peer>;
  readonly #bodies: Bodies<Peer>;
  readonly #handle: (request: IncomingRequest<Peer>, now: Instant) => void;

  constructor(
    settings: Settings,
    layer: MessageLayer<Peer>,
    receptions: Receptions<Peer>,
    bodies: Bodies<Peer>,
    handle: (request: IncomingRequest<Peer>, now: Instant) => void,
  ) {
    this.#settings = settings;
    this.#layer = layer;
    this.#receptions = receptions;
    this.#bodies = bodies;
    this.#handle = handle;
  }

  /** Takes in the message of a request that is no duplicate. */
  receive(state: PeerState<Peer>, message: Message, now: Instant): void {
    const reception = this.#receptions.add(state, message.messageId, now);
    const confirmable = message.type === MessageType.confirmable;
    const asked = { reception, confirmable, token: Buffer.from(message.token) };
    const options = readRequestOptions(message.options);
    const method = methodOf(message.code);
    if (options.refusal !== undefined) this.#send(asked, { code: options.refusal }, {}, now);
    else if (method === undefined) this.#send(asked, { code: Code.methodNotAllowed }, {}, now);
    else if (!this.#serveBlock(asked, method, options, now)) {
      const payload = this.#collect(asked, method, options, message.payload, now);
      if (payload !== undefined) this.#deliver(new Exchange(this, method, asked, options, payload), now);
    }
  }

  /** Answers a request for the first time; see {@link IncomingRequest.respond}. */
  respond(exchange: Exchange<Peer>, response: CoapResponse, now: Instant, onDelivery?: OnDelivery): boolean {
    const { reception, block1, block2: wanted } = exchange;
    if (reception.exchange !== exchange) return false;
    reception.exchange = undefined;
    this.#layer.timers.disarm(exchange);
    const confirmed = block1 === undefined ? undefined : { num: block1.num, more: false, size: block1.size };
    const payload = response.payload ?? NOTHING;
    const fits = payload.length <= this.#settings.blockSize;
    if (payload.length === 0 || (fits && wanted === undefined)) {
      this.#send(exchange, response, { block1: confirmed }, now, onDelivery);
    } else this.#sendBlock(exchange, this.#bodyOf(exchange, response, payload, onDelivery), wanted, now, confirmed);
    return true;
  }

  /** Tells the client that its request has arrived and takes longer (RFC 7252 section 5.2.2). */
  acknowledge({ reception }: Asked<Peer>): void {
    reception.reply = encodeEmpty(MessageType.acknowledgement, reception.messageId);
    this.#layer.send(reception.state, reception.reply);
  }

  #deliver(exchange: Exchange<Peer>, now: Instant): void {
    const { reception } = exchange;
    reception.exchange = exchange;
    this.#handle(exchange, now);
    const waits = exchange.confirmable && reception.exchange === exchange;
    if (waits) this.#layer.timers.arm(exchange, now + this.#settings.ackDelay);
  }

  /**
   * Block1 (RFC 7959 sections 2.3 and 2.9): adds a block to its body, and confirms or refuses it.
   * @returns the whole body, once it is there
   */
  #collect(asked: Asked<Peer>, method: Method, options: RequestOptions, payload: Buffer, now: Instant): Uint8Array | undefined {
    const { block1, contentFormat } = options;
    const { state } = asked.reception;
    const { maxBody, blockSize } = this.#settings;
    if (block1 === undefined) {
      if (payload.length <= maxBody) return copyOf(payload);
      return this.#refuse(asked, Code.requestEntityTooLarge, now);
    }
    if (block1.more ? payload.length !== block1.size : payload.length > block1.size) {
      return this.#refuse(asked, Code.badRequest, now);
    }
    if ((options.size1 ?? 0) > maxBody) return this.#refuse(asked, Code.requestEntityTooLarge, now);
    const key = keyOf(method, options);
    const partial = block1.num === 0 ? this.#bodies.begin(state, key, contentFormat, now) : state.partial;
    const fits = partial?.key === key && partial.contentFormat === contentFormat && partial.received.length === offsetOf(block1);
    if (partial === undefined || !fits) return this.#refuse(asked, Code.requestEntityIncomplete, now);
    if (!partial.received.append(payload)) {
      this.#bodies.remove(partial, now);
      return this.#refuse(asked, Code.requestEntityTooLarge, now);
    }
    if (block1.more) {
      this.#bodies.touch(partial, now);
      const confirmed = { num: block1.num, more: true, size: Math.min(block1.size, blockSize) };
      this.#send(asked, { code: Code.continue }, { block1: confirmed }, now);
      return undefined;
    }
    this.#bodies.remove(partial, now);
    return partial.received.bytes();
  }

  #refuse(asked: Asked<Peer>, code: CoapResponse["code"], now: Instant): undefined {
    const size1 = code === Code.requestEntityTooLarge ? this.#settings.maxBody : undefined;
    this.#send(asked, { code }, { size1 }, now);
  }

  /**
   * Block2 (RFC 7959 section 2.4): a further block of a response is sent from what was kept of it. When nothing was kept, a
   * GET or FETCH is handled anew and the block cut from its response; whatever changes something is not done twice.
   * @returns whether the request has been answered
   */
  #serveBlock(asked: Asked<Peer>, method: Method, options: RequestOptions, now: Instant): boolean {
    const wanted = options.block2;
    if (wanted === undefined || wanted.num === 0) return false;
    const { served } = asked.reception.state;
    if (served?.key === keyOf(method, options)) {
      this.#sendBlock(asked, served, wanted, now);
      return true;
    }
    if (method === "GET" || method === "FETCH") return false;
    this.#refuse(asked, Code.requestEntityIncomplete, now);
    return true;
  }

  #bodyOf(
    exchange: Exchange<Peer>,
    response: CoapResponse,
    payload: Uint8Array,
    onDelivery: OnDelivery | undefined,
  ): ServedBody<Peer> {
    const etag = createHash("sha256").update(payload).digest().subarray(0, ETAG_LENGTH);
    const key = keyOf(exchange.method, exchange);
    return new ServedBody(exchange.reception.state, key, response, copyOf(payload), etag, onDelivery);
  }

  /**
   * Sends the block that is wanted, in the size that is wanted unless ours is smaller. The body is kept while there is
   * more, and, where somebody waits to hear of it, until its last block has arrived.
   */
  #sendBlock(asked: Asked<Peer>, body: ServedBody<Peer>, wanted: Block | undefined, now: Instant, block1?: Block): void {
    const offset = wanted === undefined ? 0 : offsetOf(wanted);
    if (offset > 0 && offset >= body.payload.length) {
      this.#refuse(asked, Code.badRequest, now);
      if (asked.reception.state.served !== body) body.settle("cancelled", now);
      return;
    }
    const size = Math.min(this.#settings.blockSize, wanted?.size ?? this.#settings.blockSize);
    const { block, bytes } = cut(body.payload, offset, size);
    const { awaited } = body;
    if (block.more || awaited) this.#bodies.serve(body, now);
    else this.#bodies.remove(body, now);
    const { code, contentFormat, maxAge } = body.response;
    const onDelivery: OnDelivery | undefined =
      block.more || !awaited
        ? undefined
        : (delivery, at) => {
            body.settle(delivery, at);
            this.#bodies.remove(body, at);
          };
    const part = { code, contentFormat, maxAge, payload: bytes };
    this.#send(asked, part, { block1, block2: block, etag: body.etag }, now, onDelivery);
  }

  /** Sends a response: on the acknowledgement when that has not been sent and nobody waits to hear of it, else as a message of its own. */
  #send(asked: Asked<Peer>, response: CoapResponse, blocks: BlockOptions, now: Instant, onDelivery?: OnDelivery): void {
    const { reception, token, confirmable } = asked;
    const { state } = reception;
    const options = writeResponseOptions(response, blocks);
    const unacknowledged = confirmable && reception.reply === undefined;
    if (unacknowledged && onDelivery !== undefined) this.acknowledge(asked);
    const piggybacked = unacknowledged && onDelivery === undefined;
    const separate = confirmable || onDelivery !== undefined ? MessageType.confirmable : MessageType.nonConfirmable;
    const type = piggybacked ? MessageType.acknowledgement : separate;
    const messageId = piggybacked ? reception.messageId : this.#layer.nextId(state, now);
    const datagram = encode(type, response.code, messageId, token, options, response.payload);
    if (type === MessageType.confirmable) {
      reception.response = new Transmission(this.#layer, state, messageId, datagram, (_, at) => reception.settle("timeout", at));
      reception.onDelivery = onDelivery;
      reception.response.start(now);
      return;
    }
    if (piggybacked) reception.reply = datagram;
    this.#layer.send(state, datagram);
  }
}

/** Enough to tell a few versions of one resource apart. */
const ETAG_LENGTH = 4;

/** What all messages of one block-wise transfer have in common (RFC 7959 section 2.2). */
function keyOf(
  method: Method,
  options: Pick<RequestOptions, "uriHost" | "accept"> & { path: readonly string[]; query: readonly string[] },
): string {
  return JSON.stringify([method, options.uriHost, options.path, options.query, options.accept]);
}
