import type { NamedOption } from "coap-packet";
import { type Block, BodyBuffer, cut, offsetOf } from "./block.ts";
import { Code, isSuccess, type ResponseCode } from "./constants.ts";
import { copyOf, NOTHING } from "./message.ts";
import { blockOption, type ResponseOptions, writeRequestOptions } from "./options.ts";
import type { Settings } from "./settings.ts";
import type { CoapRequest, ReceivedResponse, RequestFailure, RequestResult } from "./types.ts";

/** What one message of a request carries beside method, id and token. */
export interface Part {
  readonly options: NamedOption[];
  readonly payload: Uint8Array | undefined;
}

/** The beginning of a response's body (Block2). */
interface Download {
  readonly code: ResponseCode;
  readonly options: ResponseOptions;
  readonly body: BodyBuffer;
}

/**
 * A request as client, in as many messages as its two bodies need (RFC 7959): first its own body goes out in Block1
 * blocks, then the response's comes in in Block2 blocks. Pure: the caller sends {@link next} and hands the response to
 * {@link take}.
 */
export class ClientTransfer {
  readonly #options: NamedOption[];
  readonly #payload: Uint8Array;
  readonly #maxBody: number;
  /** The block size both sides can do, as far as known. */
  #size: number;
  /** The block of our body that was sent last; undefined when the body went out whole. */
  #sent: Block | undefined;
  #offset = 0;
  #download: Download | undefined;

  /** @throws InvalidInput when an option is too long */
  constructor(request: CoapRequest, settings: Settings) {
    this.#options = writeRequestOptions(request);
    this.#payload = request.payload ?? NOTHING;
    this.#maxBody = settings.maxBody;
    this.#size = settings.blockSize;
  }

  /** The message to send now. */
  next(): Part {
    if (this.#download !== undefined) {
      const block = { num: this.#download.body.length / this.#size, more: false, size: this.#size };
      // the request's body is not repeated, so its Content-Format is not either (RFC 7959 section 3.3)
      const options = this.#options.filter((option) => option.name !== "Content-Format");
      return { options: [...options, blockOption("Block2", block)], payload: undefined };
    }
    if (this.#payload.length <= this.#size) return { options: this.#options, payload: this.#payload };
    const { block, bytes } = cut(this.#payload, this.#offset, this.#size);
    this.#sent = block;
    return { options: [...this.#options, blockOption("Block1", block)], payload: bytes };
  }

  /** Takes in the response to the last message. undefined: there is another one to send. */
  take(code: ResponseCode, options: ResponseOptions, payload: Buffer): RequestResult | undefined {
    if (this.#download === undefined) {
      if (code === Code.requestEntityTooLarge && this.#shrink(options.block1)) return undefined;
      if (this.#sent?.more === true && isSuccess(code)) return this.#confirmed(this.#sent, code, options, payload);
      if (code === Code.continue) return failure("incomplete");
    }
    return this.#collect(code, options, payload);
  }

  /** 4.13 with Block1 says which block size would do (RFC 7959 section 2.9.3); the body starts over with it. */
  #shrink(hint: Block | undefined): boolean {
    if (hint === undefined || hint.size >= (this.#sent?.size ?? this.#payload.length)) return false;
    this.#size = hint.size;
    this.#offset = 0;
    return true;
  }

  /** A block that is not the last was taken: on to the next, in smaller blocks when the server wants (RFC 7959 section 2.3). */
  #confirmed(sent: Block, code: ResponseCode, options: ResponseOptions, payload: Buffer): RequestResult | undefined {
    const { block1 } = options;
    if (block1?.num !== sent.num) {
      return code === Code.continue ? failure("incomplete") : { response: responseOf(code, options, copyOf(payload)) };
    }
    this.#offset += sent.size;
    this.#size = Math.min(this.#size, block1.size);
    return undefined;
  }

  #collect(code: ResponseCode, options: ResponseOptions, payload: Buffer): RequestResult | undefined {
    const { block2 } = options;
    const begun = this.#download;
    if (begun !== undefined && begun.code !== code) return { response: responseOf(code, options, copyOf(payload)) };
    if (block2 === undefined) {
      if (begun !== undefined) return failure("incomplete");
      if (payload.length > this.#maxBody) return failure("too-large");
      return { response: responseOf(code, options, copyOf(payload)) };
    }
    const download = begun ?? { code, options: keptOptions(options), body: new BodyBuffer(this.#maxBody) };
    if (offsetOf(block2) !== download.body.length || (block2.more && payload.length !== block2.size))
      return failure("incomplete");
    if (!sameTag(download.options.etag, options.etag)) return failure("incomplete");
    if (!download.body.append(payload)) return failure("too-large");
    if (!block2.more) return { response: responseOf(code, download.options, download.body.bytes()) };
    this.#download = download;
    this.#size = Math.min(this.#size, block2.size);
    return undefined;
  }
}

function failure(reason: RequestFailure): RequestResult {
  return { failure: reason };
}

/** Options that outlive their datagram. */
function keptOptions(options: ResponseOptions): ResponseOptions {
  return { ...options, etag: options.etag === undefined ? undefined : Buffer.from(options.etag) };
}

/** Whether two blocks belong to the same representation (RFC 7959 section 2.4). */
function sameTag(first: Buffer | undefined, later: Buffer | undefined): boolean {
  return first === undefined || later === undefined ? first === later : first.equals(later);
}

function responseOf(code: ResponseCode, options: ResponseOptions, payload: Uint8Array): ReceivedResponse {
  return { code, contentFormat: options.contentFormat, maxAge: options.maxAge, payload };
}
