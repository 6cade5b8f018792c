import type { ServerX509 } from "../dtls/index.ts";
import type { Clock } from "../lib/clock.ts";
import { errorText } from "../lib/errors.ts";
import type { Random } from "../lib/random.ts";
import { type DatagramHandler, openPrefixUdp, openUdp, type Ticker, type UdpSocket } from "../net/index.ts";
import type { Admission } from "./admission.ts";
import type { Caller } from "./caller.ts";
import type { DeviceLog } from "./device-log.ts";
import type { Lookups } from "./lookups.ts";
import type { BootstrapService } from "./service.ts";

/** Where an instance listens. On `coap` nothing is authenticated: whoever knows an endpoint name gets its configuration. */
export interface Listener {
  readonly scheme: "coaps" | "coap";
  /** A literal IPv4 or IPv6 address, or an IPv6 prefix such as `2001:db8:1:2::/64` with all its addresses. */
  readonly address: string;
  /** 0 takes a free port. */
  readonly port: number;
}

/** A listener at work. */
export interface OpenListener {
  readonly listener: Listener;
  /** DTLS handshakes completed. */
  readonly handshakes: number;
  /** DTLS associations at present. */
  readonly associations: number;
  /** New certificates or revocation lists for handshakes from now on; nothing on a NoSec listener. */
  replaceX509(x509: ServerX509): void;
  /** No new handshakes from now on: the instance stops. */
  drain(): void;
  /** Ends all associations with close_notify, and closes the socket. */
  close(): Promise<void>;
}

/** What listeners work with. */
export interface ListenerContext {
  readonly service: BootstrapService;
  readonly lookups: Lookups;
  readonly admission: Admission;
  readonly ticker: Ticker;
  /** The time of day, by which certificates are judged. */
  readonly clock: Clock;
  /** Never goes back. */
  readonly time: Clock;
  readonly random: Random;
  readonly log: DeviceLog;
}

/** Opens the socket of a listener. @throws CannotListen */
export async function openSocket({ address, port }: Listener, onDatagram: DatagramHandler): Promise<UdpSocket> {
  return address.includes("/") ? openPrefixUdp({ prefix: address, port, onDatagram }) : openUdp({ address, port, onDatagram });
}

/**
 * Opens a NoSec listener.
 * @throws CannotListen
 */
export async function openCoapListener(listener: Listener, context: ListenerContext): Promise<OpenListener> {
  const { service, time, log } = context;
  const socket: UdpSocket = await openSocket(listener, (bytes, address, port, local) => {
    const caller: Caller = {
      key: `coap ${local ?? listener.address} ${socket.port} ${address} ${port}`,
      address,
      port,
      proven: undefined,
      serverName: undefined,
      send: (datagram) => socket.send(datagram, port, address, local),
      close: () => {},
    };
    survive(log, () => service.receive(caller, bytes, time.now()));
  });
  return {
    listener: { ...listener, port: socket.port },
    handshakes: 0,
    associations: 0,
    replaceX509: () => {},
    drain: () => {},
    close: () => socket.close(),
  };
}

/** No datagram may bring down an instance on which other devices depend: a fault of ours is logged. */
export function survive(log: DeviceLog, work: () => void): void {
  try {
    work();
  } catch (error) {
    log.error({ error: errorText(error) }, "a datagram or timer failed by a fault of ours");
  }
}
