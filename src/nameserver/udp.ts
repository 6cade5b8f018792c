import { isForTransfers } from "../dns/index.ts";
import type { Clock } from "../lib/clock.ts";
import type { Logger } from "../lib/log.ts";
import { openUdp, type UdpSocket } from "../net/index.ts";
import type { Responder } from "./responder.ts";
import { Source } from "./source.ts";
import type { TransferDatagrams } from "./transfers.ts";

/** Where a nameserver listens, over UDP and TCP alike. */
export interface ListenAddress {
  /** A literal IPv4 or IPv6 address. */
  readonly address: string;
  /** 0 takes a port that is free for both. */
  readonly port: number;
}

/** What answers datagrams. */
export interface UdpAnswering {
  readonly responder: Responder;
  readonly transfers?: TransferDatagrams | undefined;
  readonly clock: Clock;
  readonly log: Logger;
  /** Whether other threads listen on the same port. */
  readonly shared: boolean;
}

/** Opens a UDP socket and answers what comes. @throws CannotListen */
export async function answerUdp(listen: ListenAddress, answering: UdpAnswering): Promise<UdpSocket> {
  const { responder, transfers, clock, log, shared } = answering;
  const from = new Source("udp");
  const udp: UdpSocket = await openUdp({
    ...listen,
    shared,
    onDatagram: (bytes, address, port) => {
      // Nothing can be sent to port 0, which only a forger would write.
      if (port === 0) return;
      from.read(address);
      const now = clock.now();
      if (transfers !== undefined && isForTransfers(bytes)) {
        if (responder.admitsTransfer(from, now)) void transfers.answer(bytes, udp, address, port);
        return;
      }
      const answer = responder.answer(bytes, from, now);
      if (answer !== undefined) udp.send(answer, port, address);
    },
    onError: (error) => log.debug({ error: error.message }, "nameserver socket"),
  });
  return udp;
}
