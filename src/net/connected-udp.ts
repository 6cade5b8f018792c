import { createSocket, type RemoteInfo } from "node:dgram";
import { isIP } from "node:net";
import { cannotListen, type UdpOptions, type UdpSocket } from "./udp.ts";

/** Options of {@link openConnectedUdp}. */
export interface ConnectedUdpOptions extends UdpOptions {
  /** The only one the socket sends to and hears; a literal address of the same family. */
  readonly peer: { readonly address: string; readonly port: number };
}

/**
 * Opens a UDP socket that is connected to one peer: the system drops what others send, and `onError` hears when
 * the peer's host answers that nobody listens there (ICMP port unreachable, `ECONNREFUSED`).
 * @throws CannotListen
 */
export function openConnectedUdp(options: ConnectedUdpOptions): Promise<UdpSocket> {
  const { peer } = options;
  const family = isIP(peer.address) === 6 ? 6 : 4;
  const socket = createSocket({
    type: family === 6 ? "udp6" : "udp4",
    lookup: (host, _options, callback) => callback(null, host, family),
    ...(options.receiveBuffer === undefined ? {} : { recvBufferSize: options.receiveBuffer }),
  });
  return new Promise((resolve, reject) => {
    const refuse = (error: Error): void => {
      socket.close();
      reject(cannotListen(error, "udp", options));
    };
    socket.once("error", refuse);
    socket.bind({ address: options.address, port: options.port, exclusive: true }, () => {
      socket.connect(peer.port, peer.address, (error?: Error) => {
        if (error !== undefined && error !== null) return refuse(error);
        socket.removeAllListeners("error");
        let open = true;
        // The system tells a refusal to whoever comes next, a read or a write.
        const report = (fault: Error | null): void => {
          if (fault !== null && open && (fault as NodeJS.ErrnoException).code === "ECONNREFUSED") options.onError?.(fault);
        };
        socket.on("error", report);
        socket.on("message", (bytes: Buffer, from: RemoteInfo) => options.onDatagram(bytes, from.address, from.port));
        const bound = socket.address();
        resolve({
          address: bound.address,
          port: bound.port,
          send: (bytes) => {
            if (open) socket.send(bytes, report);
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
  });
}
