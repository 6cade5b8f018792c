import { isForTransfers, prepareZone, type ZoneOptions, type ZoneTable, type ZoneTransfers } from "../dns/index.ts";
import type { Clock, Instant, Milliseconds } from "../lib/clock.ts";
import { InvalidInput } from "../lib/errors.ts";
import type { Logger } from "../lib/log.ts";
import type { Random } from "../lib/random.ts";
import { CannotListen, openTcpServer, openUdp, systemClock, systemRandom, type TcpServer, type UdpSocket } from "../net/index.ts";
import { LIMITS, type NameserverLimits } from "./limits.ts";
import { RateLimiter } from "./rate-limiter.ts";
import { Responder } from "./responder.ts";
import { ServerCookies } from "./server-cookies.ts";
import { Networks, Source } from "./source.ts";
import type { NameserverStats } from "./stats.ts";
import { TcpConnections } from "./tcp.ts";
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
  /** In place of {@link LIMITS}. */
  readonly limits?: Partial<NameserverLimits>;
  /** The hidden primary, if it is one; without it transfers are refused and signatures ignored. */
  readonly transfers?: ZoneTransfers | undefined;
  /** The system's unless given. */
  readonly clock?: Clock;
  readonly random?: Random;
}

/** What answers on all sockets. */
interface Answering {
  readonly responder: Responder;
  readonly connections: TcpConnections;
  readonly transfers: TransferDatagrams | undefined;
  readonly clock: Clock;
  readonly log: Logger;
}

interface Listener {
  readonly udp: UdpSocket;
  readonly tcp: TcpServer;
}

/** How often a port that is free for UDP but not for TCP is given back for another. */
const PORT_TRIES = 10;
/** A flood is told of so often while it lasts. */
const TELL_EVERY: Milliseconds = 60_000;

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
   * @throws InvalidInput for a wrong zone, a table of another zone, or an exempt network that is none
   * @throws CannotListen naming address and port
   */
  static async start(options: NameserverOptions): Promise<Nameserver> {
    const { zone, table, log, transfers, clock = systemClock, random = systemRandom } = options;
    const limits = { ...LIMITS, ...options.limits };
    const exempt = new Networks(limits.exempt);
    if (table.zone !== zone.name.toLowerCase()) {
      throw new InvalidInput(`the nameserver is for zone ${zone.name}, its table of names for ${table.zone}`);
    }
    const responder: Responder = new Responder({
      zone: prepareZone(zone),
      table,
      limiter: new RateLimiter(limits, exempt, random.bytes(16)),
      cookies: new ServerCookies(random, clock.now()),
      idle: limits.idle,
      transfers,
      onLimited: floodTeller(log, () => responder.stats),
    });
    const answering: Answering = {
      responder,
      connections: new TcpConnections({ responder, limits, exempt, clock, transfers }),
      transfers: transfers === undefined ? undefined : new TransferDatagrams(transfers),
      clock,
      log,
    };
    const listeners: Listener[] = [];
    try {
      for (const listen of options.listen) listeners.push(await openBoth(listen, answering));
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

/** Tells of a flood at its begin and then now and again; of the names that are asked for, nothing. */
function floodTeller(log: Logger, stats: () => NameserverStats): (from: Source, now: Instant) => void {
  let told = -Infinity;
  return (from, now) => {
    if (now - told < TELL_EVERY && now >= told) return;
    told = now;
    const { rateLimited, slipped } = stats();
    log.warn({ network: from.prefix(), rateLimited, slipped }, "too many alike answers to one network: some are held back");
  };
}

async function openBoth(listen: ListenAddress, answering: Answering, triesLeft: number = PORT_TRIES): Promise<Listener> {
  const { responder, connections, transfers, clock, log } = answering;
  const from = new Source("udp");
  const udp: UdpSocket = await openUdp({
    ...listen,
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
  try {
    return { udp, tcp: await openTcpServer({ address: listen.address, port: udp.port }, (socket) => connections.serve(socket)) };
  } catch (error) {
    await udp.close();
    const another = listen.port === 0 && triesLeft > 1 && error instanceof CannotListen && error.code === "address-in-use";
    if (another) return openBoth(listen, answering, triesLeft - 1);
    throw error;
  }
}

async function closeBoth({ udp, tcp }: Listener): Promise<void> {
  await Promise.all([udp.close(), tcp.close()]);
}
