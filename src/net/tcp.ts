import { createServer, type Socket } from "node:net";
import { cannotListen } from "./udp.ts";

export type { Socket } from "node:net";

/** A listening TCP socket. */
export interface TcpServer {
  readonly address: string;
  readonly port: number;
  /** Stops listening and ends the connections there are. */
  close(): Promise<void>;
}

/**
 * Listens on TCP. `onConnection` owns the connection: its data, its limits and its errors.
 * @throws CannotListen naming address and port
 */
export function openTcpServer(
  listen: { readonly address: string; readonly port: number },
  onConnection: (socket: Socket) => void,
): Promise<TcpServer> {
  const connections = new Set<Socket>();
  const server = createServer((socket) => {
    connections.add(socket);
    socket.on("close", () => connections.delete(socket));
    onConnection(socket);
  });
  return new Promise((resolve, reject) => {
    server.once("error", (error) => reject(cannotListen(error, "tcp", listen)));
    server.listen({ host: listen.address, port: listen.port, exclusive: true }, () => {
      const bound = server.address();
      if (bound === null || typeof bound === "string") return reject(cannotListen(new Error("not an IP socket"), "tcp", listen));
      resolve({
        address: bound.address,
        port: bound.port,
        close: () =>
          new Promise((closed) => {
            server.close(() => closed());
            for (const socket of connections) socket.destroy();
          }),
      });
    });
  });
}
