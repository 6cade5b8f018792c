import type { Milliseconds } from "../lib/clock.ts";
import type { DnsFailure } from "./dns-failure.ts";

/** Who waits for a message. */
interface Taker {
  readonly resolve: (message: Uint8Array) => void;
  readonly reject: (failure: DnsFailure) => void;
  readonly timer: NodeJS.Timeout;
}

/** A request on a connection, and the answers to it that nobody has taken yet. */
export class DnsWaiting {
  readonly request: Uint8Array;
  readonly #timedOut: (timeout: Milliseconds) => DnsFailure;
  readonly #queue: Uint8Array[] = [];
  #taker: Taker | undefined;
  #failure: DnsFailure | undefined;

  constructor(request: Uint8Array, timedOut: (timeout: Milliseconds) => DnsFailure) {
    this.request = request;
    this.#timedOut = timedOut;
  }

  /** How many messages wait to be taken. */
  get queued(): number {
    return this.#queue.length;
  }

  /** The next message. One at a time. @throws DnsFailure */
  next(timeout: Milliseconds): Promise<Uint8Array> {
    const message = this.#queue.shift();
    if (message !== undefined) return Promise.resolve(message);
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#taker = undefined;
        reject(this.#timedOut(timeout));
      }, timeout);
      this.#taker = { resolve, reject, timer };
    });
  }

  put(message: Uint8Array): void {
    const taker = this.#leave();
    if (taker === undefined) this.#queue.push(message);
    else taker.resolve(message);
  }

  /** What was put before can still be taken. */
  fail(failure: DnsFailure): void {
    this.#failure = failure;
    this.#leave()?.reject(failure);
  }

  #leave(): Taker | undefined {
    const taker = this.#taker;
    this.#taker = undefined;
    if (taker !== undefined) clearTimeout(taker.timer);
    return taker;
  }
}
