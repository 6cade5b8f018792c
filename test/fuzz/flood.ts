import type { Random } from "../../src/lib/random.ts";
import { openUdp, type UdpSocket } from "../../src/net/index.ts";
import { until } from "../support/until.ts";
import { hostile } from "./mutate.ts";

/** A UDP port under fire, and how it shows that it is still there. */
export interface Target {
  readonly name: string;
  readonly address: string;
  readonly port: number;
  readonly corpus: readonly Uint8Array[];
  /** A message that is always answered at once. */
  readonly probe: Uint8Array;
}

/** Datagrams between two probes: fewer than a socket's buffer holds, so that none is lost on the way. */
const BATCH = 500;
const SOCKETS = 16;

/**
 * Sends hostile datagrams, from several ports, each batch after the port has shown that it has worked off the one before.
 * @throws when it does not answer any more, with what was sent last
 */
export async function flood(target: Target, count: number, random: Random): Promise<void> {
  let answers = 0;
  const open = (onDatagram: () => void): Promise<UdpSocket> => openUdp({ address: "127.0.0.1", port: 0, onDatagram });
  const prober = await open(() => {
    answers++;
  });
  const sockets = await Promise.all(Array.from({ length: SOCKETS }, () => open(() => {})));
  const probe = async (): Promise<void> => {
    const before = answers;
    let asked = 0;
    const ask = (): boolean => {
      if (asked++ % 40 === 0) prober.send(target.probe, target.port, target.address);
      return answers > before;
    };
    await until(ask, `an answer from ${target.name}`, 30);
  };
  try {
    await probe();
    for (let sent = 0; sent < count; sent += BATCH) {
      for (let index = 0; index < Math.min(BATCH, count - sent); index++) {
        sockets[index % SOCKETS]?.send(hostile(random, target.corpus), target.port, target.address);
      }
      await probe();
    }
  } finally {
    for (const socket of [prober, ...sockets]) await socket.close();
  }
}
