import { type Association, type CloseReason, DtlsServer, type OpenSsl, type Peer } from "../dtls/index.ts";
import type { Clock } from "../lib/clock.ts";
import { errorText } from "../lib/errors.ts";
import type { Random } from "../lib/random.ts";
import { type Machine, openUdp, type Ticker, type UdpSocket } from "../net/index.ts";
import type { Caller } from "./caller.ts";
import { pskOf } from "./device.ts";
import type { DeviceLog } from "./device-log.ts";
import type { LookupOutcome, Lookups } from "./lookups.ts";
import type { BootstrapService } from "./service.ts";

/** Where an instance listens. On `coap` nothing is authenticated: whoever knows an endpoint name gets its configuration. */
export interface Listener {
  readonly scheme: "coaps" | "coap";
  /** A literal IPv4 or IPv6 address. */
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
  /** No new handshakes from now on: the instance stops. */
  drain(): void;
  /** Ends all associations with close_notify, and closes the socket. */
  close(): Promise<void>;
}

/** What listeners work with. */
export interface ListenerContext {
  readonly service: BootstrapService;
  readonly lookups: Lookups;
  readonly ticker: Ticker;
  /** Never goes back. */
  readonly time: Clock;
  readonly random: Random;
  readonly log: DeviceLog;
}

/**
 * Opens a NoSec listener.
 * @throws CannotListen
 */
export async function openCoapListener(listener: Listener, context: ListenerContext): Promise<OpenListener> {
  const { service, time, log } = context;
  const socket: UdpSocket = await openUdp({
    address: listener.address,
    port: listener.port,
    onDatagram: (bytes, address, port) => {
      const caller: Caller = {
        key: `${listener.address} ${address} ${port}`,
        address,
        port,
        identity: undefined,
        serverName: undefined,
        send: (datagram) => socket.send(datagram, port, address),
        close: () => {},
      };
      survive(log, () => service.receive(caller, bytes, time.now()));
    },
  });
  return {
    listener: { ...listener, port: socket.port },
    handshakes: 0,
    associations: 0,
    drain: () => {},
    close: () => socket.close(),
  };
}

/** Why no key is given for an identity. */
const REFUSALS: Readonly<Record<Extract<LookupOutcome, string>, string>> = {
  unknown: "unknown identity",
  completed: "the device has completed its bootstrap and is not armed again",
  elsewhere: "the device belongs to another instance",
  unavailable: "the balancer could not be asked about the identity",
};

/** How a handshake ends before it is complete, where the log has a better word than the reason itself. */
const HANDSHAKE_FAILURES: Readonly<Partial<Record<CloseReason, string>>> = {
  "wrong-key": "wrong key",
  "handshake-timeout": "the peer fell silent",
  "no-shared-cipher": "no cipher suite in common",
  alert: "the peer sent an alert",
};

/**
 * Opens a DTLS listener: PSK, cookie exchange always, keys from the directory or the balancer. A stranger gets no
 * answer that says what was wrong.
 * @throws CannotListen
 */
export async function openCoapsListener(listener: Listener, openssl: OpenSsl, context: ListenerContext): Promise<OpenListener> {
  const { service, lookups, ticker, time, random, log } = context;
  const callers: Map<Association, Caller> = new Map();
  let draining = false;
  let count = 0;

  const server: DtlsServer = new DtlsServer(
    openssl,
    {
      cookieSecret: random.bytes(32),
      lookupPsk: (identity, { peer, serverName }) => {
        if (draining) return undefined;
        const text = textOf(identity);
        const answer = (found: LookupOutcome): Uint8Array | undefined => {
          if (typeof found !== "string") return pskOf(found);
          log.info({ ...log.who({ ...peer, identity: text, serverName }), reason: REFUSALS[found] }, "handshake refused");
          return undefined;
        };
        const found = text === undefined ? "unknown" : lookups.byIdentity(text);
        return found instanceof Promise ? found.then(answer) : answer(found);
      },
    },
    {
      send: (peer, datagram) => socket.send(datagram, peer.port, peer.address),
      secured: (association) => {
        const { peer, serverName } = association;
        callers.set(association, {
          key: `${listener.address} ${++count}`,
          address: peer.address,
          port: peer.port,
          identity: textOf(association.identity) ?? "",
          serverName,
          send: (datagram) => void association.send(datagram, time.now()),
          close: (now) => server.close(association, now),
        });
      },
      message: (association, bytes) => {
        const caller = callers.get(association);
        if (caller !== undefined) service.receive(caller, bytes, time.now());
      },
      closed: (association, reason) => {
        const caller = callers.get(association);
        callers.delete(association);
        if (caller !== undefined) return service.lost(caller, time.now());
        // Of an unknown identity the log has said more already.
        if (draining || reason === "unknown-identity" || reason === "replaced" || reason === "freed") return;
        const { peer, identity, serverName } = association;
        const fields = log.who({ ...peer, identity: textOf(identity), serverName });
        log.info({ ...fields, reason: HANDSHAKE_FAILURES[reason] ?? reason }, "handshake failed");
      },
    },
  );
  const socket: UdpSocket = await openUdp({
    address: listener.address,
    port: listener.port,
    onDatagram: (bytes, address, port) => {
      const peer: Peer = { key: `${address} ${port}`, address, port };
      survive(log, () => server.receive(peer, bytes, time.now()));
    },
  });
  const machine: Machine = {
    nextDeadline: () => server.nextDeadline(),
    tick: (now) => survive(log, () => server.tick(now)),
  };
  ticker.add(machine);
  return {
    listener: { ...listener, port: socket.port },
    get handshakes() {
      return server.stats.handshakesCompleted;
    },
    get associations() {
      return server.stats.associations;
    },
    drain: () => {
      draining = true;
    },
    close: async () => {
      draining = true;
      for (const association of [...callers.keys()]) server.close(association, time.now());
      ticker.remove(machine);
      server.free();
      await socket.close();
    },
  };
}

/** A PSK identity as text; undefined if it is not UTF-8, as every identity is that Berth hands out (RFC 4279 section 5.1). */
function textOf(identity: Uint8Array): string | undefined {
  const text = Buffer.from(identity.buffer, identity.byteOffset, identity.byteLength).toString("utf8");
  return text.includes("\ufffd") ? undefined : text;
}

/** No datagram may bring down an instance on which other devices depend: a fault of ours is logged. */
export function survive(log: DeviceLog, work: () => void): void {
  try {
    work();
  } catch (error) {
    log.error({ error: errorText(error) }, "a datagram or timer failed by a fault of ours");
  }
}
