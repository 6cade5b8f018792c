import { CoapEndpoint, type IncomingRequest, type ResponseCode } from "../../src/coap/index.ts";
import type { Assignment } from "../../src/control/index.ts";
import { type CloseReason, DtlsClient, loadOpenSsl } from "../../src/dtls/index.ts";
import { openUdp, systemClock, systemRandom, Ticker, type UdpSocket } from "../../src/net/index.ts";

/** A device on a real socket: what it says and how it answers is up to the test. */
export interface UdpDeviceOptions {
  readonly port: number;
  readonly address?: string;
  /** For DTLS; plain CoAP if absent. */
  readonly psk?: { readonly identity: string; readonly key: Uint8Array; readonly serverName?: string };
  /** The answer to a request of the instance, null for none; 2.02 and 2.04 unless it says so. */
  answer?(method: string, path: string): ResponseCode | null | undefined;
}

type Host = { readonly key: string };
const SERVER: Host = { key: "server" };

export class UdpDevice {
  readonly #options: UdpDeviceOptions;
  readonly #ticker: Ticker = new Ticker(systemClock);
  readonly #coap: CoapEndpoint<Host>;
  readonly #socket: UdpSocket;
  #dtls: DtlsClient | undefined;
  /** Requests of the instance, as `PUT /0/10`. */
  readonly requests: string[] = [];
  /** Why the association ended. */
  closed: CloseReason | undefined;
  #finished: () => void = () => {};
  /** Done when Finish was answered. */
  readonly finished: Promise<void> = new Promise((resolve) => {
    this.#finished = resolve;
  });

  static async open(options: UdpDeviceOptions): Promise<UdpDevice> {
    const address = options.address ?? "127.0.0.1";
    let device: UdpDevice | undefined;
    const socket = await openUdp({ address, port: 0, onDatagram: (bytes) => device?.receive(bytes) });
    device = new UdpDevice(options, socket);
    return device;
  }

  private constructor(options: UdpDeviceOptions, socket: UdpSocket) {
    this.#options = options;
    this.#socket = socket;
    this.#coap = new CoapEndpoint(
      { random: systemRandom },
      {
        send: (_, datagram) =>
          this.#dtls === undefined ? this.throws(datagram) : void this.#dtls.send(datagram, systemClock.now()),
        request: (request, now) => this.#serve(request, now),
      },
    );
    this.#ticker.add(this.#coap);
  }

  /** Shakes hands, from the same port also a second time; done when the association is secured. */
  connect(): Promise<void> {
    const { psk } = this.#options;
    if (psk === undefined) return Promise.resolve();
    if (this.#dtls !== undefined) this.#ticker.remove(this.#dtls);
    return new Promise((resolve) => {
      this.#dtls = new DtlsClient(
        loadOpenSsl(),
        {
          psk: psk.key,
          identity: Buffer.from(psk.identity),
          ...(psk.serverName === undefined ? {} : { serverName: psk.serverName }),
        },
        {
          send: (datagram) => this.throws(datagram),
          secured: resolve,
          message: (bytes) => this.#coap.receive(SERVER, bytes, systemClock.now()),
          closed: (reason) => {
            this.closed = reason;
          },
        },
      );
      this.#ticker.add(this.#coap);
      this.#ticker.add(this.#dtls);
      this.#dtls.connect(systemClock.now());
    });
  }

  /** Sends a datagram as it is. */
  throws(datagram: Uint8Array): void {
    this.#socket.send(datagram, this.#options.port, this.#options.address ?? "127.0.0.1");
  }

  /** Sends a request and gives the answer's code and payload. */
  request(method: "GET" | "POST", path: readonly string[], query: readonly string[]): Promise<string> {
    return new Promise((resolve) => {
      this.#coap.request(SERVER, { method, path, query }, systemClock.now(), (result) => {
        if ("failure" in result) resolve(result.failure);
        else
          resolve(
            [result.response.code, Buffer.from(result.response.payload).toString()].filter((part) => part !== "").join(" "),
          );
      });
    });
  }

  /** A whole bootstrap; gives the answer to the Bootstrap-Request. */
  async bootstrap(endpoint: string): Promise<string> {
    await this.connect();
    return this.request("POST", ["bs"], [`ep=${endpoint}`]);
  }

  receive(datagram: Uint8Array): void {
    if (this.#dtls === undefined) this.#coap.receive(SERVER, datagram, systemClock.now());
    else this.#dtls.receive(datagram, systemClock.now());
  }

  async close(): Promise<void> {
    this.#ticker.stop();
    this.#dtls?.close(systemClock.now());
    await this.#socket.close();
  }

  #serve(request: IncomingRequest<Host>, now: number): void {
    const path = `/${request.path.join("/")}`;
    this.requests.push(`${request.method} ${path}`);
    const chosen = this.#options.answer?.(request.method, path);
    if (chosen === null) return;
    const code = chosen ?? (request.method === "DELETE" ? "2.02" : "2.04");
    request.respond({ code }, now);
    if (path === "/bs") this.#finished();
  }
}

/** The device of an assignment. */
export function pskOf(assignment: Assignment, serverName?: string): NonNullable<UdpDeviceOptions["psk"]> {
  return {
    identity: assignment.identity,
    key: Buffer.from(assignment.psk ?? "", "hex"),
    ...(serverName === undefined ? {} : { serverName }),
  };
}
