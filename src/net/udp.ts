import { createSocket, type RemoteInfo } from "node:dgram";
import { isIP } from "node:net";
import { BerthError } from "../lib/errors.ts";

/**
 * Called for each datagram; `bytes` is the caller's to keep.
 * @param local the address it was sent to, on a socket that has many; to be given to `send` for the answer
 */
export type DatagramHandler = (bytes: Uint8Array, address: string, port: number, local?: string) => void;

/** A bound UDP socket. */
export interface UdpSocket {
  readonly address: string;
  readonly port: number;
  /** Sends without waiting. What cannot be sent is lost, as datagrams are. */
  send(bytes: Uint8Array, port: number, address: string, local?: string): void;
  close(): Promise<void>;
}

/** Options of {@link openUdp}. */
export interface UdpOptions {
  /** A literal IPv4 or IPv6 address. */
  readonly address: string;
  /** 0 takes a free port. */
  readonly port: number;
  /** Receive buffer of the kernel, bytes; 4 MiB unless given, as a storm of ClientHellos must fit. `net.core.rmem_max` bounds it. */
  readonly receiveBuffer?: number;
  /** Other sockets of ours may have the same port; the kernel deals datagrams out by where they come from. See {@link canSharePort}. */
  readonly shared?: boolean;
  readonly onDatagram: DatagramHandler;
  /** The peer's host says that nobody listens there (ICMP), or another fault of the socket. */
  readonly onError?: (error: Error) => void;
}

/** Bytes that may wait for the kernel to take them; beyond, datagrams are dropped instead of filling memory. */
const SEND_QUEUE = 4 * 1024 * 1024;
/** It is looked at once in so many datagrams. */
const QUEUE_CHECK = 64;

/** The first releases of Node whose UDP sockets can share a port (`reusePort`). */
const SHARES_PORTS = { 22: 12, 23: 1 } as const;

/** Whether this Node's UDP sockets can share a port: 22.12 and later, 23.1 and later. */
export function canSharePort(version: string = process.versions.node): boolean {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  return major > 23 || minor >= (SHARES_PORTS[major as keyof typeof SHARES_PORTS] ?? Infinity);
}

/** A socket could not be bound. Codes `address-in-use`, `address-not-available`, `permission-denied`, `cannot-listen`. */
export class CannotListen extends BerthError {}

/**
 * Opens a UDP socket.
 * @throws CannotListen naming address and port, and what to do
 */
export function openUdp(options: UdpOptions): Promise<UdpSocket> {
  const family = isIP(options.address) === 6 ? 6 : 4;
  const socket = createSocket({
    type: family === 6 ? "udp6" : "udp4",
    ipv6Only: family === 6,
    // Addresses are literal always: going round dns.lookup saves 8 % of a query's cost.
    lookup: (host, _options, callback) => callback(null, host, family),
    recvBufferSize: options.receiveBuffer ?? 4 * 1024 * 1024,
    ...(options.shared ? { reusePort: true } : {}),
  });
  return new Promise((resolve, reject) => {
    socket.once("error", (error) => reject(cannotListen(error, "udp", options)));
    socket.bind({ address: options.address, port: options.port, exclusive: true }, () => {
      socket.removeAllListeners("error");
      socket.on("error", (error) => options.onError?.(error));
      socket.on("message", (bytes: Buffer, from: RemoteInfo) => options.onDatagram(bytes, from.address, from.port));
      const bound = socket.address();
      let open = true;
      let sent = 0;
      let full = false;
      resolve({
        address: bound.address,
        port: bound.port,
        send: (bytes, port, address) => {
          // A forged source can have port 0, which node refuses by throwing.
          if (!open || port === 0) return;
          if (full || sent++ % QUEUE_CHECK === 0) full = socket.getSendQueueSize() > SEND_QUEUE;
          // Without a callback: what cannot be sent is lost without a word, and a callback costs as much as the rest.
          if (!full) socket.send(bytes, port, address);
        },
        close: () =>
          new Promise((closed) => {
            if (!open) return closed();
            open = false;
            socket.close(() => closed());
          }),
      });
    });
  });
}

/** Turns the system's error of a bind into one that says what to do. */
export function cannotListen(
  error: NodeJS.ErrnoException,
  protocol: "udp" | "tcp",
  { address, port }: { readonly address: string; readonly port: number },
): CannotListen {
  const where = `${protocol} ${address} port ${port}`;
  switch (error.code) {
    case "EADDRINUSE":
      return new CannotListen("address-in-use", `cannot listen on ${where}: it is in use by another program`, { cause: error });
    case "EADDRNOTAVAIL":
      return new CannotListen("address-not-available", `cannot listen on ${where}: this host does not have that address`, {
        cause: error,
      });
    case "EACCES":
      return new CannotListen("permission-denied", `cannot listen on ${where}: ports below 1024 need a privilege`, {
        cause: error,
      });
    default:
      return new CannotListen("cannot-listen", `cannot listen on ${where}: ${error.message}`, { cause: error });
  }
}
