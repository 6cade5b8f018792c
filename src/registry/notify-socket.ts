import { isIP } from "node:net";
import { type DnsServer, openUdp, type UdpSocket } from "../net/index.ts";

/** Sends NOTIFY to secondaries and hears their answers. */
export interface NotifySocket {
  /** @param secondary such as `192.0.2.53:53` or `[2001:db8::53]:53` */
  send(message: Uint8Array, secondary: string): void;
  close(): Promise<void>;
}

const RECEIVE_BUFFER = 64 * 1024;

/** Opens a socket for each family that secondaries have. @throws CannotListen */
export async function openNotifySocket(
  secondaries: readonly string[],
  onMessage: (message: Uint8Array) => void,
): Promise<NotifySocket> {
  const places = new Map(secondaries.map((secondary) => [secondary, placeOf(secondary)]));
  const sockets = new Map<number, UdpSocket>();
  for (const { address } of places.values()) {
    const family = isIP(address);
    if (sockets.has(family)) continue;
    const any = family === 6 ? "::" : "0.0.0.0";
    sockets.set(family, await openUdp({ address: any, port: 0, receiveBuffer: RECEIVE_BUFFER, onDatagram: onMessage }));
  }
  return {
    send: (message, secondary) => {
      const place = places.get(secondary);
      if (place !== undefined) sockets.get(isIP(place.address))?.send(message, place.port, place.address);
    },
    close: async () => {
      await Promise.all([...sockets.values()].map((socket) => socket.close()));
    },
  };
}

/** @param secondary such as `192.0.2.53:53` or `[2001:db8::53]:53` */
export function placeOf(secondary: string): DnsServer {
  const colon = secondary.lastIndexOf(":");
  return { address: secondary.slice(0, colon).replace(/^\[(.*)\]$/, "$1"), port: Number(secondary.slice(colon + 1)) };
}
