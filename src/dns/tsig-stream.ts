import type { Hmac } from "node:crypto";
import type { Instant } from "../lib/clock.ts";
import { beginMac, checkTsig, type PriorMac, signTsig, stripTsig, TsigError } from "./tsig.ts";
import type { TsigKey } from "./tsig-key.ts";
import { readTsig } from "./tsig-record.ts";

/** So many messages may come unsigned between two signed ones (RFC 8945 section 5.3.1). */
const MOST_UNSIGNED = 99;

/**
 * The signatures of an answer of several messages, such as a transfer (RFC 8945 section 5.3.1): each continues the one before,
 * the first the request's. One object serves one answer, in one direction.
 */
export class TsigStream {
  readonly #key: TsigKey;
  #prior: PriorMac;
  /** The MAC of the messages since the last signature, which the next signature completes. */
  #pending: Hmac | undefined;
  #unsigned = 0;

  constructor(key: TsigKey, requestMac: Uint8Array) {
    this.#key = key;
    this.#prior = { mac: requestMac };
  }

  /** Signs the next message; all of them are (RFC 8945 section 5.3.1 recommends it). */
  sign(message: Uint8Array, at: Instant): Uint8Array<ArrayBuffer> {
    const signed = signTsig(message, this.#key, at, this.#prior);
    this.#prior = { mac: signed.mac, timersOnly: true };
    return signed.message;
  }

  /**
   * Checks the next message. One without a signature is proven only by the next that has one: believe nothing before `finish`.
   * @returns the message without TSIG
   * @throws TsigError
   * @throws MalformedMessage
   */
  verify(message: Uint8Array, now: Instant): Uint8Array {
    const record = readTsig(message);
    const hmac = this.#pending ?? beginMac(this.#key, this.#prior.mac);
    if (record === undefined) {
      if (this.#prior.timersOnly !== true) throw new TsigError("bad-signature", "the first message of the answer is not signed");
      if (++this.#unsigned > MOST_UNSIGNED)
        throw new TsigError("bad-signature", `${this.#unsigned} messages without a signature`);
      this.#pending = hmac.update(message);
      return message;
    }
    const stripped = stripTsig(message, record);
    hmac.update(stripped);
    checkTsig(message, record, hmac, this.#key, now, this.#prior.timersOnly === true);
    this.#prior = { mac: record.mac, timersOnly: true };
    this.#pending = undefined;
    this.#unsigned = 0;
    return stripped;
  }

  /** To be called behind the last message. @throws TsigError if that was not signed */
  finish(): void {
    if (this.#pending !== undefined || this.#prior.timersOnly !== true) {
      throw new TsigError("bad-signature", "the last message of the answer is not signed");
    }
  }
}
