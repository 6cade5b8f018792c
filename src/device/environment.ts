import { loadOpenSsl, type OpenSsl } from "../dtls/index.ts";
import type { Clock, Milliseconds } from "../lib/clock.ts";
import type { Random } from "../lib/random.ts";
import { type ConnectedUdpOptions, openConnectedUdp } from "../net/connected-udp.ts";
import {
  type HostAddresses,
  type Machine,
  resolveHost,
  systemClock,
  systemRandom,
  Ticker,
  type UdpSocket,
} from "../net/index.ts";

/** Everything a device needs of the world around it. Tests and simulations pass their own. */
export interface DeviceEnvironment {
  /** For timers: never goes back, whatever happens to the time of day. */
  readonly clock: Clock;
  /** What the device takes for the time of day; names are made with it. */
  readonly wallClock: Clock;
  readonly random: Random;
  /** Looks a host up, afresh each time; rejects with {@link ResolveError}. */
  resolve(host: string): Promise<HostAddresses>;
  openSocket(options: ConnectedUdpOptions): Promise<UdpSocket>;
  /** Calls the device's `tick` when it is due. */
  readonly timers: { add(machine: Machine): void; remove(machine: Machine): void };
  /** Called for the first PSK handshake; throws when OpenSSL cannot be reached. */
  openssl(): OpenSsl;
}

/** Settings of {@link systemEnvironment}. */
export interface SystemEnvironmentOptions {
  /** Resolvers as `address` or `address:port`; the system's unless given. */
  readonly resolvers?: readonly string[];
  /** How far the device's time of day is off. */
  readonly clockOffset?: Milliseconds;
}

/** Time since the process started: a clock that nobody sets. */
const monotonicClock: Clock = { now: () => performance.now() };

const ticker = new Ticker(monotonicClock);

/** The real world: UDP sockets, DNS, the clock, OpenSSL. */
export function systemEnvironment(options: SystemEnvironmentOptions = {}): DeviceEnvironment {
  const { resolvers, clockOffset = 0 } = options;
  return {
    clock: monotonicClock,
    wallClock: { now: () => systemClock.now() + clockOffset },
    random: systemRandom,
    resolve: (host) => resolveHost(host, resolvers),
    openSocket: openConnectedUdp,
    timers: ticker,
    openssl: loadOpenSsl,
  };
}
