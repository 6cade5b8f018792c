import { openUdp, systemClock, systemRandom, Ticker } from "../../src/net/index.ts";
import { ScriptedServer } from "./scripted-server.ts";

type Receiver = (bytes: Uint8Array, from: { readonly address: string; readonly port: number }) => void;

/** A scripted server on a real socket of the loopback interface, with the real clock. */
export interface ServerOnSockets {
  readonly scripted: ScriptedServer;
  readonly port: number;
  close(): Promise<void>;
}

/** Opens one; whoever does closes it. */
export async function openScripted({
  address = "127.0.0.1",
  secure = true,
  heard = () => {},
}: {
  readonly address?: string;
  readonly secure?: ConstructorParameters<typeof ScriptedServer>[2];
  /** Called for every datagram, before the server has it. */
  readonly heard?: () => void;
} = {}): Promise<ServerOnSockets> {
  const ticker = new Ticker(systemClock);
  let receive: Receiver | undefined;
  const socket = await openUdp({
    address,
    port: 0,
    onDatagram: (bytes, from, port) => {
      heard();
      receive?.(bytes, { address: from, port });
    },
  });
  const surroundings = {
    clock: systemClock,
    random: systemRandom,
    machines: ticker,
    listen: (_address: string, _port: number, receiver: Receiver) => {
      receive = receiver;
    },
    send: (bytes: Uint8Array, _from: unknown, to: { readonly address: string; readonly port: number }) =>
      socket.send(bytes, to.port, to.address),
  };
  const scripted = new ScriptedServer(surroundings, { address, port: socket.port }, secure);
  const close = (): Promise<void> => {
    ticker.stop();
    return socket.close();
  };
  return { scripted, port: socket.port, close };
}
