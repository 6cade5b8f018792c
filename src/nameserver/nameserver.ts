import { isForTransfers, prepareZone, type ZoneOptions, type ZoneTable, type ZoneTransfers } from "../dns/index.ts";
import { InvalidInput } from "../lib/errors.ts";
import type { Logger } from "../lib/log.ts";
import { CannotListen, openTcpServer, openUdp, type TcpServer, type UdpSocket } from "../net/index.ts";
import { Responder } from "./responder.ts";
import type { NameserverStats } from "./stats.ts";
import { TCP_LIMITS, TcpConnections, type TcpLimits } from "./tcp.ts";
import { TransferDatagrams } from "./transfers.ts";

/** Where a nameserver listens, over UDP and TCP alike. */
export interface ListenAddress {
  /** A literal IPv4 or IPv6 address. */
  readonly address: string;
  /** 0 takes a port that is free for both. */
  readonly port: number;
}

/** Options of {@link Nameserver.start}. */
export interface NameserverOptions {
  readonly zone: ZoneOptions;
  /** The live names of the same zone; what is written to it is answered from then on. */
  readonly table: ZoneTable;
  readonly listen: readonly ListenAddress[];
  readonly log: Logger;
  readonly tcp?: TcpLimits;
  /** The hidden primary, if it is one; without it transfers are refused and signatures ignored. */
  readonly transfers?: ZoneTransfers | undefined;
}

interface Listener {
  readonly udp: UdpSocket;
  readonly tcp: TcpServer;
}

/** How often a port that is free for UDP but not for TCP is given back for another. */
const PORT_TRIES = 10;

/** The authoritative server of one zone, over UDP and TCP. It never logs a name. */
export class Nameserver {
  readonly stats: NameserverStats;
  readonly #listeners: readonly Listener[];
  readonly #log: Logger;

  private constructor(listeners: readonly Listener[], stats: NameserverStats, log: Logger) {
    this.#listeners = listeners;
    this.stats = stats;
    this.#log = log;
  }

  /**
   * Opens the sockets and answers from then on.
   * @throws InvalidInput for a wrong zone, or a table of another zone
   * @throws CannotListen naming address and port
   */
  static async start(options: NameserverOptions): Promise<Nameserver> {
    const { zone, table, log } = options;
    if (table.zone !== zone.name.toLowerCase()) {
      throw new InvalidInput(`the nameserver is for zone ${zone.name}, its table of names for ${table.zone}`);
    }
    const responder = new Responder(prepareZone(zone), table, options.transfers);
    const connections = new TcpConnections(responder, options.tcp ?? TCP_LIMITS, options.transfers);
    const transfers = options.transfers === undefined ? undefined : new TransferDatagrams(options.transfers);
    const listeners: Listener[] = [];
    try {
      for (const listen of options.listen) listeners.push(await openBoth(listen, responder, connections, log, transfers));
    } catch (error) {
      await Promise.all(listeners.map(closeBoth));
      throw error;
    }
    const server = new Nameserver(listeners, responder.stats, log);
    log.info({ zone: zone.name, listen: server.addresses }, "nameserver answers");
    return server;
  }

  /** Where it listens, with the ports it got. */
  get addresses(): readonly ListenAddress[] {
    return this.#listeners.map(({ udp: { address, port } }) => ({ address, port }));
  }

  /** Closes the sockets and what connections there are. */
  async close(): Promise<void> {
    await Promise.all(this.#listeners.map(closeBoth));
    this.#log.info({ stats: this.stats }, "nameserver closed");
  }
}

async function openBoth(
  listen: ListenAddress,
  responder: Responder,
  connections: TcpConnections,
  log: Logger,
  transfers: TransferDatagrams | undefined,
  triesLeft: number = PORT_TRIES,
): Promise<Listener> {
  const udp: UdpSocket = await openUdp({
    ...listen,
    onDatagram: (bytes, address, port) => {
      if (transfers !== undefined && isForTransfers(bytes)) return void transfers.answer(bytes, udp, address, port);
      // Nothing can be sent to port 0, which only a forger would write.
      const answer = port === 0 ? undefined : responder.answer(bytes, "udp");
      if (answer !== undefined) udp.send(answer, port, address);
    },
    onError: (error) => log.debug({ error: error.message }, "nameserver socket"),
  });
  try {
    return { udp, tcp: await openTcpServer({ address: listen.address, port: udp.port }, (socket) => connections.serve(socket)) };
  } catch (error) {
    await udp.close();
    const another = listen.port === 0 && triesLeft > 1 && error instanceof CannotListen && error.code === "address-in-use";
    if (another) return openBoth(listen, responder, connections, log, transfers, triesLeft - 1);
    throw error;
  }
}

async function closeBoth({ udp, tcp }: Listener): Promise<void> {
  await Promise.all([udp.close(), tcp.close()]);
}
