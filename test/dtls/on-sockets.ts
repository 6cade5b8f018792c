import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { type Association, DtlsServer, type DtlsServerOptions, loadOpenSsl } from "../../src/dtls/index.ts";
import { until } from "../support/until.ts";

const SECONDS = 20;

/** A UDP socket on a free port. */
export async function openSocket(): Promise<Socket> {
  const opened = createSocket("udp4");
  opened.bind(0, "127.0.0.1");
  await once(opened, "listening");
  return opened;
}

/** A port nobody listens on. */
export async function freeUdpPort(): Promise<number> {
  const probe = await openSocket();
  const { port } = probe.address();
  probe.close();
  return port;
}

/** A server on a real socket and the real clock. */
export class SocketServer {
  /** What happened, in order: "secured TLS_...", "closed alert". */
  readonly log: string[] = [];
  /** The associations that were secured. */
  readonly secured: Association[] = [];
  readonly dtls: DtlsServer;
  readonly #socket: Socket;
  readonly #timer: NodeJS.Timeout;

  private constructor(socket: Socket, options: Partial<DtlsServerOptions>, reply: (message: Buffer) => Uint8Array) {
    this.#socket = socket;
    this.dtls = new DtlsServer(
      loadOpenSsl(),
      { cookieSecret: Buffer.alloc(32, 1), ...options },
      {
        send: (peer, datagram) => socket.send(datagram, peer.port, peer.address),
        secured: (association) => {
          this.secured.push(association);
          this.log.push(`secured ${association.cipherSuite}`);
        },
        message: (association, bytes) => void association.send(reply(Buffer.from(bytes)), Date.now()),
        closed: (_association, reason) => this.log.push(`closed ${reason}`),
      },
    );
    socket.on("message", (datagram, { address, port }) => {
      this.dtls.receive({ key: `${address}:${port}`, address, port }, datagram, Date.now());
    });
    this.#timer = setInterval(() => this.dtls.tick(Date.now()), 50);
  }

  static async open(options: Partial<DtlsServerOptions>, reply: (message: Buffer) => Uint8Array): Promise<SocketServer> {
    return new SocketServer(await openSocket(), options, reply);
  }

  get port(): number {
    return this.#socket.address().port;
  }

  /** Waits until the log says so. */
  async logs(line: string): Promise<void> {
    await until(() => this.log.includes(line), `"${line}" in ${this.log.join()}`, SECONDS);
  }

  close(): void {
    clearInterval(this.#timer);
    this.dtls.free();
    this.#socket.close();
  }
}

/** CoAP 2.05 Content, piggybacked on the acknowledgement of `request`. */
export function content(request: Buffer, text: string): Buffer {
  const length = (request[0] ?? 0) & 15;
  const head = Buffer.of(0x60 | length, 0x45, request[2] ?? 0, request[3] ?? 0);
  return Buffer.concat([head, request.subarray(4, 4 + length), Buffer.of(0xff), Buffer.from(text)]);
}

/** A program that runs beside the test. */
export class Program {
  readonly child: ChildProcessWithoutNullStreams;
  #said = "";

  constructor(command: string, args: readonly string[]) {
    this.child = spawn(command, args);
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream.on("data", (text) => {
        this.#said += text;
      });
    }
  }

  /** What it has written so far. */
  get said(): string {
    return this.#said;
  }

  /** Waits until it has written that. */
  async says(text: string): Promise<void> {
    try {
      await until(() => this.#said.includes(text), text, SECONDS);
    } catch (error) {
      throw new Error(`${(error as Error).message}; said: ${this.#said}`);
    }
  }

  kill(): void {
    this.child.kill();
  }
}
