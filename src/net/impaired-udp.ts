import type { Milliseconds } from "../lib/clock.ts";
import type { Random } from "../lib/random.ts";
import { openUdp, type UdpOptions, type UdpSocket } from "./udp.ts";

/** A bad network, both ways; shares of all datagrams, 0 to 1. */
export interface Impairment {
  readonly loss: number;
  readonly duplicate: number;
  readonly reorder: number;
}

/** How long a reordered datagram is held back, at most. */
const REORDER_DELAY: Milliseconds = 60;

/** {@link openUdp} over a network that loses, duplicates and reorders datagrams, to try devices against it. */
export async function openImpairedUdp(options: UdpOptions, impairment: Impairment, random: Random): Promise<UdpSocket> {
  const impair = (deliver: () => void): void => {
    if (random.uniform() < impairment.loss) return;
    const copies = random.uniform() < impairment.duplicate ? 2 : 1;
    for (let copy = 0; copy < copies; copy++) {
      if (random.uniform() < impairment.reorder) setTimeout(deliver, random.uniform() * REORDER_DELAY);
      else deliver();
    }
  };
  const socket = await openUdp({
    ...options,
    onDatagram: (bytes, address, port) => impair(() => options.onDatagram(bytes, address, port)),
  });
  return { ...socket, send: (bytes, port, address) => impair(() => socket.send(bytes, port, address)) };
}
