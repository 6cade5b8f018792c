import { prepareZone, type ZoneOptions, type ZoneTable, type ZoneTransfers } from "../dns/index.ts";
import type { Clock } from "../lib/clock.ts";
import { InvalidInput } from "../lib/errors.ts";
import type { Logger } from "../lib/log.ts";
import type { Random } from "../lib/random.ts";
import {
  CannotListen,
  canSharePort,
  openTcpServer,
  systemClock,
  systemRandom,
  type TcpServer,
  type UdpSocket,
} from "../net/index.ts";
import { floodTeller } from "./flood-teller.ts";
import { LIMITS, type NameserverLimits } from "./limits.ts";
import { RateLimiter } from "./rate-limiter.ts";
import { Responder } from "./responder.ts";
import { dailySecrets, ServerCookies } from "./server-cookies.ts";
import { Networks } from "./source.ts";
import { type NameserverStats, sumOfStats } from "./stats.ts";
import { TcpConnections } from "./tcp.ts";
import { NameserverThreads } from "./threads.ts";
import { TransferDatagrams } from "./transfers.ts";
import { answerUdp, type ListenAddress } from "./udp.ts";

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
  /**
   * Threads that answer over UDP, this one among them; 1 unless given. More need a table that is shared, and a Node whose sockets
   * can share a port; they cannot be a hidden primary.
   */
  readonly threads?: number;
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
  readonly shared: boolean;
}

interface Listener {
  readonly udp: UdpSocket;
  readonly tcp: TcpServer;
}

/** How often a port that is free for UDP but not for TCP is given back for another. */
const PORT_TRIES = 10;

/** The authoritative server of one zone, over UDP and TCP. It never logs a name. */
export class Nameserver {
  readonly #responder: Responder;
  #threads: NameserverThreads | undefined;
  readonly #listeners: readonly Listener[];
  readonly #log: Logger;

  private constructor(listeners: readonly Listener[], responder: Responder, log: Logger) {
    this.#listeners = listeners;
    this.#responder = responder;
    this.#log = log;
  }

  /**
   * Opens the sockets and answers from then on.
   * @throws InvalidInput for a wrong zone, a table of another zone, or an exempt network that is none, or threads that cannot be
   * @throws CannotListen naming address and port
   */
  static async start(options: NameserverOptions): Promise<Nameserver> {
    const { zone, table, log, transfers, clock = systemClock, random = systemRandom, threads = 1 } = options;
    checkThreads(threads, transfers !== undefined);
    const limits = shareOf({ ...LIMITS, ...options.limits }, threads);
    const [seed, master] = [random.bytes(16), random.bytes(32)];
    const exempt = new Networks(limits.exempt);
    if (table.zone !== zone.name.toLowerCase()) {
      throw new InvalidInput(`the nameserver is for zone ${zone.name}, its table of names for ${table.zone}`);
    }
    const responder: Responder = new Responder({
      zone: prepareZone(zone),
      table,
      limiter: new RateLimiter(limits, exempt, seed),
      cookies: new ServerCookies(dailySecrets(master)),
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
      shared: threads > 1,
    };
    const listeners: Listener[] = [];
    try {
      for (const listen of options.listen) listeners.push(await openBoth(listen, answering));
    } catch (error) {
      await Promise.all(listeners.map(closeBoth));
      throw error;
    }
    const server = new Nameserver(listeners, responder, log);
    try {
      const task = { zone, listen: server.addresses, limits, seed, master };
      if (threads > 1) server.#threads = await NameserverThreads.start(threads - 1, table, task, log);
    } catch (error) {
      await server.close();
      throw error;
    }
    log.info({ zone: zone.name, listen: server.addresses, threads }, "nameserver answers");
    return server;
  }

  /** Counters of all threads together; those of other threads as they last told, and asked anew by each look. */
  get stats(): NameserverStats {
    const { stats } = this.#responder;
    return this.#threads === undefined ? stats : sumOfStats([stats, ...this.#threads.stats]);
  }

  /** Where it listens, with the ports it got. */
  get addresses(): readonly ListenAddress[] {
    return this.#listeners.map(({ udp: { address, port } }) => ({ address, port }));
  }

  /** Closes the sockets and what connections there are. */
  async close(): Promise<void> {
    await Promise.all([this.#threads?.close(), ...this.#listeners.map(closeBoth)]);
    this.#log.info({ stats: this.stats }, "nameserver closed");
  }
}

/** @throws InvalidInput */
function checkThreads(threads: number, isPrimary: boolean): void {
  if (!(Number.isInteger(threads) && threads >= 1)) throw new InvalidInput(`${threads} is no number of threads`);
  if (threads === 1) return;
  if (isPrimary) throw new InvalidInput("a hidden primary answers from one thread: leave dns.threads at 1");
  if (canSharePort()) return;
  throw new InvalidInput(
    `dns.threads: ${threads} threads on one port need Node 22.12 or later, or 23.1 or later; this is ${process.versions.node}`,
  );
}

/** The kernel deals queries out evenly, so each thread grants its share. */
function shareOf(limits: NameserverLimits, threads: number): NameserverLimits {
  return { ...limits, responses: Math.ceil(limits.responses / threads) };
}

async function openBoth(listen: ListenAddress, answering: Answering, triesLeft: number = PORT_TRIES): Promise<Listener> {
  const { connections } = answering;
  const udp: UdpSocket = await answerUdp(listen, answering);
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
