import { isForTransfers, type ZoneTransfers } from "../dns/index.ts";
import type { Clock, Milliseconds } from "../lib/clock.ts";
import type { Socket } from "../net/index.ts";
import { MAX_ANSWER, type Responder } from "./responder.ts";
import { type Networks, Source } from "./source.ts";
import { sendTransfer } from "./transfers.ts";

/** Limits of the TCP side (RFC 7766 section 6.2). */
export interface TcpLimits {
  /** Connections open at once; for one more, the one that was silent longest is closed. */
  readonly connections: number;
  /** Of them, those of one network: one more is closed at once. */
  readonly connectionsPerNetwork: number;
  /** A connection on which no whole query came for so long is closed: one that sends single bytes too. */
  readonly idle: Milliseconds;
}

/** The longest query taken: a name, OPT with cookies and a TSIG fit well, and nobody makes us hold 64 KiB. */
const MAX_QUERY = 4096;
/** Bytes in front of each message that say its length (RFC 1035 section 4.2.2). */
const PREFIX = 2;
/** Answers are handed to the system together, in about so many bytes. */
const BATCH = 16_384;
/** Queries of one connection that are answered before all others have their turn. */
const AT_ONCE = 100;

/** What {@link TcpConnections} works with. */
export interface TcpOptions {
  readonly responder: Responder;
  readonly limits: TcpLimits;
  /** Networks that may take all the connections. */
  readonly exempt: Networks;
  readonly clock: Clock;
  readonly transfers?: ZoneTransfers | undefined;
}

/** The TCP side of a nameserver: many queries on a connection, answered in their order (RFC 7766). */
export class TcpConnections {
  readonly #responder: Responder;
  readonly #limits: TcpLimits;
  readonly #exempt: Networks;
  readonly #clock: Clock;
  readonly #transfers: ZoneTransfers | undefined;
  /** Those that a transfer goes out on: what they ask beside it waits. */
  readonly #transferring: Set<Socket> = new Set();
  readonly #batch = new Uint8Array(BATCH + PREFIX + MAX_ANSWER);
  /** In the order of their last whole query, the longest silent first; with what ends them. */
  readonly #open = new Map<Socket, NodeJS.Timeout>();
  /** How many of them each network has. */
  readonly #perNetwork = new Map<string, number>();

  constructor({ responder, limits, exempt, clock, transfers }: TcpOptions) {
    this.#responder = responder;
    this.#limits = limits;
    this.#exempt = exempt;
    this.#clock = clock;
    this.#transfers = transfers;
  }

  /** Takes over a new connection. */
  serve(socket: Socket): void {
    const from = new Source("tcp").read(socket.remoteAddress ?? "");
    if (!this.#admit(socket, from)) return;
    this.#open.set(
      socket,
      setTimeout(() => this.#silent(socket), this.#limits.idle),
    );
    let waiting: Uint8Array = new Uint8Array(0);
    const answerWaiting = (): void => {
      if (socket.destroyed || this.#transferring.has(socket)) return;
      const used = this.#answerAll(socket, from, waiting, answerWaiting);
      waiting = waiting.subarray(used);
      // Who does not read the answers may not ask more, and who asks much waits until others have had their turn.
      if (socket.writableNeedDrain || this.#transferring.has(socket)) socket.pause();
      else if (used > 0 && beginsWhole(waiting)) {
        socket.pause();
        setImmediate(answerWaiting);
      } else socket.resume();
    };
    socket.on("data", (chunk: Buffer) => {
      waiting = waiting.length === 0 ? chunk : Buffer.concat([waiting, chunk]);
      answerWaiting();
    });
    socket.on("drain", answerWaiting);
    socket.on("error", () => this.#cutOff(socket));
    socket.on("close", () => this.#cutOff(socket));
  }

  /** Makes room for one more connection, or refuses it. */
  #admit(socket: Socket, from: Source): boolean {
    const { stats } = this.#responder;
    const network = from.prefix();
    const others = this.#perNetwork.get(network) ?? 0;
    if (others >= this.#limits.connectionsPerNetwork && !this.#exempt.has(from)) {
      stats.tcpRefused++;
      socket.on("error", () => {});
      socket.destroy();
      return false;
    }
    const [longestSilent] = this.#open.keys();
    if (longestSilent !== undefined && this.#open.size >= this.#limits.connections) {
      stats.tcpRefused++;
      this.#cutOff(longestSilent);
    }
    this.#perNetwork.set(network, (this.#perNetwork.get(network) ?? 0) + 1);
    socket.on("close", () => {
      const left = (this.#perNetwork.get(network) ?? 0) - 1;
      if (left > 0) this.#perNetwork.set(network, left);
      else this.#perNetwork.delete(network);
    });
    return true;
  }

  /**
   * Answers the whole queries in `bytes` as far as the client takes answers, or up to one for the hidden primary, but not
   * more than {@link AT_ONCE}.
   * @param goOn called when that is answered
   * @returns how many bytes they took
   */
  #answerAll(socket: Socket, from: Source, bytes: Uint8Array, goOn: () => void): number {
    let used = 0;
    let filled = 0;
    let answered = 0;
    const now = this.#clock.now();
    const flush = (): void => {
      if (filled > 0) socket.write(Buffer.from(this.#batch.subarray(0, filled)));
      filled = 0;
    };
    while (bytes.length - used >= PREFIX && !socket.writableNeedDrain && answered < AT_ONCE) {
      const length = ((bytes[used] as number) << 8) | (bytes[used + 1] as number);
      const end = used + PREFIX + length;
      if (length <= MAX_QUERY && end > bytes.length) break;
      const message = bytes.subarray(used + PREFIX, end);
      if (this.#transfers !== undefined && length <= MAX_QUERY && isForTransfers(message)) {
        flush();
        this.#heardFrom(socket);
        void this.#transfer(socket, this.#transfers.respond(Uint8Array.from(message), "tcp")).then(goOn);
        return end;
      }
      const answer = length > MAX_QUERY ? 0 : this.#responder.write(message, from, now, this.#batch, filled + PREFIX);
      if (answer === 0) {
        // What is no query gets no answer over UDP; here it would leave the client waiting.
        flush();
        this.#cutOff(socket);
        return bytes.length;
      }
      this.#batch[filled] = answer >> 8;
      this.#batch[filled + 1] = answer & 0xff;
      filled += PREFIX + answer;
      used = end;
      answered++;
      if (filled >= BATCH) flush();
    }
    flush();
    if (used > 0) this.#heardFrom(socket);
    return used;
  }

  async #transfer(socket: Socket, answer: AsyncIterable<Uint8Array>): Promise<void> {
    this.#transferring.add(socket);
    const sent = await sendTransfer(socket, answer, () => this.#heardFrom(socket)).catch(() => 0);
    this.#transferring.delete(socket);
    if (sent === 0) this.#cutOff(socket);
  }

  /** A connection that waits for us, not we for it, is not idle. */
  #silent(socket: Socket): void {
    if (this.#transferring.has(socket) && socket.writableLength === 0) this.#heardFrom(socket);
    else this.#cutOff(socket);
  }

  #heardFrom(socket: Socket): void {
    const timer = this.#open.get(socket);
    if (timer === undefined) return;
    this.#open.delete(socket);
    this.#open.set(socket, timer.refresh());
  }

  #cutOff(socket: Socket): void {
    clearTimeout(this.#open.get(socket));
    this.#open.delete(socket);
    socket.destroy();
  }
}

/** Whether bytes begin with a whole message, or with one that is longer than any query. */
function beginsWhole(bytes: Uint8Array): boolean {
  if (bytes.length < PREFIX) return false;
  const length = ((bytes[0] as number) << 8) | (bytes[1] as number);
  return length > MAX_QUERY || bytes.length >= PREFIX + length;
}
