import { randomInt } from "node:crypto";
import { openUdp } from "../../src/net/index.ts";

/** `127.a.b.` of addresses that nobody else uses: on Linux all of 127.0.0.0/8 is the host itself. */
export function loopbackNet(): string {
  return `127.${randomInt(16, 250)}.${randomInt(256)}.`;
}

/** A port that is free at an address now. */
export async function freePort(address: string): Promise<number> {
  const socket = await openUdp({ address, port: 0, onDatagram: () => {} });
  await socket.close();
  return socket.port;
}
