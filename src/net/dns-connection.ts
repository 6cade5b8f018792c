import { connect, type Socket } from "node:net";
import { HEADER_LENGTH } from "../dns/index.ts";
import type { Milliseconds } from "../lib/clock.ts";
import { InternalError } from "../lib/errors.ts";
import { DnsFailure, type DnsServer, dnsFailure, serverText } from "./dns-failure.ts";
import { DnsFrames, framed } from "./dns-frames.ts";
import { answers, messageId } from "./dns-match.ts";
import { DnsWaiting } from "./dns-waiting.ts";
import { systemRandom } from "./system.ts";

/** So many messages of transfers may wait to be taken before no more are read from the peer. */
const QUEUE = 32;

/**
 * A TCP connection to a DNS server (RFC 7766). Requests may be made while others wait: answers are told apart by id, operation
 * and question, and may come in any order. What answers no request is dropped.
 */
export class DnsConnection {
  readonly #server: DnsServer;
  readonly #socket: Socket;
  readonly #frames: DnsFrames = new DnsFrames();
  readonly #waiting: Map<number, DnsWaiting> = new Map();
  #failure: DnsFailure | undefined;

  private constructor(server: DnsServer, socket: Socket) {
    this.#server = server;
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on("data", (bytes: Buffer) => this.#take(bytes));
    socket.on("error", (error) => this.#fail(dnsFailure(server, error)));
    socket.on("close", () => this.#fail(this.#says("connection-lost", "it closed the connection")));
  }

  /** Connects. @throws DnsFailure `connection-refused`, `connection-lost` or `timeout` */
  static open(server: DnsServer, timeout: Milliseconds): Promise<DnsConnection> {
    return new Promise((resolve, reject) => {
      const socket = connect({ host: server.address, port: server.port });
      const timer = setTimeout(() => {
        socket.destroy();
        reject(new DnsFailure("timeout", `${serverText(server)}: no connection in ${timeout} ms`));
      }, timeout);
      const refuse = (error: Error): void => {
        clearTimeout(timer);
        reject(dnsFailure(server, error));
      };
      socket.once("error", refuse);
      socket.once("connect", () => {
        clearTimeout(timer);
        socket.off("error", refuse);
        resolve(new DnsConnection(server, socket));
      });
    });
  }

  /** Whether requests can be made still. */
  get isOpen(): boolean {
    return this.#failure === undefined;
  }

  /** A random id that no request has that waits. */
  freeId(): number {
    for (;;) {
      const id = randomMessageId();
      if (!this.#waiting.has(id)) return id;
    }
  }

  /**
   * Makes a request of one answer.
   * @param timeout from now until the answer is there whole
   * @returns the answer, nothing of it read but what it answers
   * @throws DnsFailure; after `timeout` the connection goes on, and an answer that is late is dropped
   * @throws InternalError if a request with this id waits already
   */
  async request(message: Uint8Array, timeout: Milliseconds): Promise<Uint8Array> {
    const waiting = this.#send(message);
    try {
      return await waiting.next(timeout);
    } finally {
      this.#done(message);
    }
  }

  /**
   * Makes a request of several answers, such as a transfer. Whoever reads knows which is the last, and stops there.
   * @param timeout for each message, from when it is waited for
   * @throws DnsFailure
   * @throws InternalError if a request with this id waits already
   */
  async *requestStream(message: Uint8Array, timeout: Milliseconds): AsyncGenerator<Uint8Array, never> {
    const waiting = this.#send(message);
    try {
      for (;;) {
        yield await waiting.next(timeout);
        if (waiting.queued < QUEUE) this.#socket.resume();
      }
    } finally {
      this.#done(message);
    }
  }

  /** Ends the connection; requests that wait fail as `connection-lost`. */
  close(): void {
    this.#fail(this.#says("connection-lost", "the connection was closed on this side"));
  }

  #send(message: Uint8Array): DnsWaiting {
    if (this.#failure !== undefined) throw this.#failure;
    const id = messageId(message);
    if (this.#waiting.has(id)) throw new InternalError("two DNS requests on a connection have the same id");
    const waiting = new DnsWaiting(message, (timeout) => this.#says("timeout", `no answer in ${timeout} ms`));
    this.#waiting.set(id, waiting);
    this.#socket.write(framed(message));
    return waiting;
  }

  #done(message: Uint8Array): void {
    this.#waiting.delete(messageId(message));
    this.#socket.resume();
  }

  #take(bytes: Buffer): void {
    for (const message of this.#frames.take(bytes)) {
      if (message.length < HEADER_LENGTH) {
        this.#fail(this.#says("malformed", `it sent a message of ${message.length} bytes`));
        break;
      }
      const waiting = this.#waiting.get(messageId(message));
      if (waiting === undefined || !answers(message, waiting.request)) continue;
      waiting.put(message);
      if (waiting.queued >= QUEUE) this.#socket.pause();
    }
  }

  #fail(failure: DnsFailure): void {
    if (this.#failure !== undefined) return;
    this.#failure = failure;
    this.#socket.destroy();
    for (const waiting of this.#waiting.values()) waiting.fail(failure);
  }

  #says(code: string, why: string): DnsFailure {
    return new DnsFailure(code, `${serverText(this.#server)}: ${why}`);
  }
}

/** An id that nobody can guess (RFC 5452 section 9.2). */
export function randomMessageId(): number {
  return messageId(systemRandom.bytes(2));
}
