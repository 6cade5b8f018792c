import { randomInt } from "node:crypto";
import { CannotListen, openTcpServer, openUdp } from "../../src/net/index.ts";

/** `127.a.b.` of addresses that nobody else uses: on Linux all of 127.0.0.0/8 is the host itself. */
export function loopbackNet(): string {
  return `127.${randomInt(16, 250)}.${randomInt(256)}.`;
}

/** A port that is free at an address now, for UDP and TCP. */
export async function freePort(address: string): Promise<number> {
  for (;;) {
    // Below those that the system gives to sockets that ask for none, of which others open many meanwhile.
    const port = randomInt(10_000, 32_768);
    if (await isFree(address, port)) return port;
  }
}

async function isFree(address: string, port: number): Promise<boolean> {
  try {
    const udp = await openUdp({ address, port, onDatagram: () => {} });
    await udp.close();
    const tcp = await openTcpServer({ address, port }, () => {});
    await tcp.close();
    return true;
  } catch (error) {
    if (error instanceof CannotListen) return false;
    throw error;
  }
}
