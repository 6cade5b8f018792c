import type { ZoneTransfers } from "../dns/index.ts";
import type { Socket, UdpSocket } from "../net/index.ts";

/** Signed datagrams that wait for their answer at once; more of them are dropped, as a flood of them is all there can be then. */
const MOST_DATAGRAMS = 64;

/**
 * Sends the answer of a hidden primary over a connection, no faster than the peer takes it.
 * @param moved called for each message that went out
 * @returns how many messages went out; 0 for a message that gets no answer
 */
export async function sendTransfer(socket: Socket, answer: AsyncIterable<Uint8Array>, moved: () => void): Promise<number> {
  let sent = 0;
  for await (const message of answer) {
    if (socket.destroyed) break;
    const framed = Buffer.allocUnsafe(2 + message.length);
    framed.writeUInt16BE(message.length);
    framed.set(message, 2);
    if (!socket.write(framed)) await drained(socket);
    moved();
    sent++;
  }
  return sent;
}

/** Resolves when the system has taken all that was written, or the connection is gone. */
function drained(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      socket.off("drain", done);
      socket.off("close", done);
      resolve();
    };
    socket.on("drain", done);
    socket.on("close", done);
    if (socket.destroyed) done();
  });
}

/** The UDP side of a hidden primary. */
export class TransferDatagrams {
  readonly #transfers: ZoneTransfers;
  #waiting = 0;

  constructor(transfers: ZoneTransfers) {
    this.#transfers = transfers;
  }

  /** Answers one datagram, now or a little later. */
  async answer(message: Uint8Array, udp: UdpSocket, address: string, port: number): Promise<void> {
    if (this.#waiting === MOST_DATAGRAMS) return;
    this.#waiting++;
    try {
      for await (const answer of this.#transfers.respond(message, "udp")) udp.send(answer, port, address);
    } catch {
      // It is lost, as datagrams are; the peer asks again.
    } finally {
      this.#waiting--;
    }
  }
}
