import {
  CoapEndpoint,
  type CoapRequest,
  type CoapResponse,
  type IncomingRequest,
  type RequestResult,
  type ResponseCode,
} from "../../src/coap/index.ts";
import { type ClientCredential, type CloseReason, DtlsClient, loadOpenSsl } from "../../src/dtls/index.ts";
import { openUdp, systemClock, systemRandom, Ticker, type UdpSocket } from "../../src/net/index.ts";
import type { PskAssignment } from "./lockstep.ts";

/** A device on a real socket: what it says and how it answers is up to the test. */
export interface UdpDeviceOptions {
  readonly port: number;
  /** The instance's; what comes from another is not heard. */
  readonly address?: string;
  /** The device's, if it is another. */
  readonly from?: string;
  /** For DTLS; plain CoAP if absent. */
  readonly credential?: ClientCredential;
  readonly serverName?: string;
  /** Changes datagrams on their way out. */
  readonly bend?: (datagram: Uint8Array) => Uint8Array;
  /** The answer to a request of the instance, null for none; 2.02, 2.04 and {@link DISCOVERED} unless it says so. */
  answer?(method: string, path: string): Answer | null | undefined;
}

/** A code, or a whole response. */
export type Answer = ResponseCode | CoapResponse;

/** What a client has at the factory: its bootstrap account, at the instance where Wakaama and most others keep it. */
const DISCOVERED: CoapResponse = {
  code: "2.05",
  contentFormat: 40,
  payload: Buffer.from("</>;lwm2m=1.1,</0/0>,</1>,</3/0>"),
};

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
    const onDatagram = (bytes: Uint8Array, sender: string): void => {
      if (sender === address) device?.receive(bytes);
    };
    const socket = await openUdp({ address: options.from ?? address, port: 0, onDatagram });
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
    const { credential, serverName } = this.#options;
    if (credential === undefined) return Promise.resolve();
    if (this.#dtls !== undefined) this.#ticker.remove(this.#dtls);
    return new Promise((resolve) => {
      this.#dtls = new DtlsClient(
        loadOpenSsl(),
        {
          credential,
          ...(serverName === undefined ? {} : { serverName }),
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
    this.#socket.send(this.#options.bend?.(datagram) ?? datagram, this.#options.port, this.#options.address ?? "127.0.0.1");
  }

  /** Sends a request and gives the answer's code and payload. */
  async request(method: "GET" | "POST", path: readonly string[], query: readonly string[]): Promise<string> {
    const result = await this.asks({ method, path, query });
    if ("failure" in result) return result.failure;
    const { code, payload } = result.response;
    return [code, Buffer.from(payload).toString()].filter((part) => part !== "").join(" ");
  }

  /** Sends a request and gives the whole result. */
  asks(request: CoapRequest): Promise<RequestResult> {
    return new Promise((resolve) => {
      this.#coap.request(SERVER, request, systemClock.now(), resolve);
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
    const usual = request.method === "GET" ? DISCOVERED : request.method === "DELETE" ? "2.02" : "2.04";
    const answer = chosen ?? usual;
    request.respond(typeof answer === "string" ? { code: answer } : answer, now);
    if (path === "/bs") this.#finished();
  }
}

/** The credential of an assignment's device. */
export function pskOf({ identity, psk }: PskAssignment): Extract<ClientCredential, { mode: "psk" }> {
  return { mode: "psk", identity: Buffer.from(identity), psk: Buffer.from(psk, "hex") };
}
