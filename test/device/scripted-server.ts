import {
  CoapEndpoint,
  type CoapRequest,
  type CoapResponse,
  type IncomingRequest,
  type RequestResult,
} from "../../src/coap/index.ts";
import { type Association, DtlsServer, type DtlsServerOptions, loadOpenSsl } from "../../src/dtls/index.ts";
import { fromHex, utf8 } from "../../src/lib/bytes.ts";
import type { Clock, Instant } from "../../src/lib/clock.ts";
import type { Random } from "../../src/lib/random.ts";
import {
  ContentFormat,
  encodeContent,
  type ObjectInstance,
  objectInstance,
  type Resource,
  single,
} from "../../src/lwm2m/index.ts";
import type { Machine } from "../../src/net/index.ts";
import type { Address, World } from "./world.ts";

export const PSK: Uint8Array = fromHex("000102030405060708090a0b0c0d0e0f");

interface Peer extends Address {
  readonly key: string;
}

/** What the server does in a session, after its 2.04. */
export type Script = readonly CoapRequest[];

export const DELETE_ALL: CoapRequest = { method: "DELETE", path: [] };
export const FINISH: CoapRequest = { method: "POST", path: ["bs"] };

/** A Bootstrap-Write of one instance. */
export function write(instance: ObjectInstance, format: number = ContentFormat.tlv): CoapRequest {
  const { objectId, id } = instance;
  const payload = encodeContent(format, [objectId, id], [instance]);
  return { method: "PUT", path: [String(objectId), String(id)], contentFormat: format, payload };
}

/** A bootstrap account with a pre-shared key, and what else it is to have. */
export function bootstrapAccount(
  instance: number,
  { uri = "coaps://bs2.example.com", key = PSK, more = [] }: { uri?: string; key?: Uint8Array; more?: readonly Resource[] } = {},
): ObjectInstance {
  return objectInstance(0, instance, [
    single(0, { type: "string", value: uri }),
    single(1, { type: "boolean", value: true }),
    single(2, { type: "integer", value: 0 }),
    single(3, { type: "opaque", value: utf8("dev-1") }),
    single(4, { type: "opaque", value: new Uint8Array() }),
    single(5, { type: "opaque", value: key }),
    ...more,
  ]);
}

/** The Security object of the LwM2M server with this short server id. */
export function security(ssid: number, instance = 1, more: readonly Resource[] = []): ObjectInstance {
  return objectInstance(0, instance, [
    single(0, { type: "string", value: "coaps://dm.example.com:5684" }),
    single(1, { type: "boolean", value: false }),
    single(2, { type: "integer", value: 0 }),
    single(3, { type: "opaque", value: utf8("dm-identity") }),
    single(4, { type: "opaque", value: new Uint8Array() }),
    single(5, { type: "opaque", value: PSK }),
    single(10, { type: "integer", value: ssid }),
    ...more,
  ]);
}

/** The Server object that goes with {@link security}. */
export function server(ssid: number, instance = 0): ObjectInstance {
  return objectInstance(1, instance, [
    single(0, { type: "integer", value: ssid }),
    single(1, { type: "integer", value: 300 }),
    single(6, { type: "boolean", value: true }),
    single(7, { type: "string", value: "U" }),
  ]);
}

export function writeSecurity(ssid: number, format: number = ContentFormat.tlv): CoapRequest {
  return write(security(ssid), format);
}

export function writeServer(ssid: number, format: number = ContentFormat.tlv): CoapRequest {
  return write(server(ssid), format);
}

export const GOOD_SCRIPT: Script = [DELETE_ALL, writeSecurity(123), writeServer(123), FINISH];

const TRIES = 4;

/** What the server needs of a {@link World}, or of real sockets. */
export interface Surroundings extends Pick<World, "listen" | "send"> {
  readonly clock: Clock;
  readonly random: Random;
  readonly machines: { add(machine: Machine): unknown };
}

/** A bootstrap server that does as it is told, over DTLS or without, at one address. */
export class ScriptedServer implements Machine {
  readonly world: Surroundings;
  readonly here: Address;
  readonly dtls: DtlsServer | undefined;
  readonly coap: CoapEndpoint<Peer>;
  script: Script = GOOD_SCRIPT;
  /** The answer to a request of a device, or what makes it; undefined stays silent. */
  answer: CoapResponse | undefined | ((request: IncomingRequest<Peer>) => CoapResponse | undefined) = { code: "2.04" };
  /** Whether to say close_notify after Finish. */
  closes = true;
  readonly requests: IncomingRequest<Peer>[] = [];
  readonly serverNames: (string | undefined)[] = [];
  readonly results: RequestResult[] = [];
  /** Endpoint names whose Finish was answered with 2.04. */
  readonly finished: string[] = [];
  readonly #associations: Map<string, Association> = new Map();

  constructor(
    world: Surroundings,
    here: Address,
    secure: boolean | Partial<DtlsServerOptions> = true,
    keyOf: (identity: string) => Uint8Array | undefined = () => PSK,
  ) {
    this.world = world;
    this.here = here;
    this.coap = new CoapEndpoint<Peer>(
      { random: world.random, ackTimeout: 1_000, maxRetransmit: 3 },
      { send: (peer, bytes) => this.#send(peer, bytes), request: (request) => this.#request(request) },
    );
    if (secure !== false) {
      this.dtls = new DtlsServer(
        loadOpenSsl(),
        {
          cookieSecret: new Uint8Array(32),
          lookupPsk: (identity) => keyOf(Buffer.from(identity).toString()),
          ...(secure === true ? {} : secure),
        },
        {
          send: (peer, bytes) => world.send(bytes, here, peer),
          secured: (association) => {
            this.#associations.set(association.peer.key, association);
            this.serverNames.push(association.serverName);
          },
          message: ({ peer }, bytes) => this.coap.receive(peer, bytes, world.clock.now()),
          closed: ({ peer }) => {
            this.#associations.delete(peer.key);
            this.coap.forget(peer, world.clock.now());
          },
        },
      );
    }
    world.listen(here.address, here.port, (bytes, from) =>
      this.#receive(bytes, { key: `${from.address}|${from.port}`, ...from }),
    );
    world.machines.add(this);
  }

  nextDeadline(): Instant | undefined {
    const both = [this.coap.nextDeadline(), this.dtls?.nextDeadline()].filter((due) => due !== undefined);
    return both.length === 0 ? undefined : Math.min(...both);
  }

  tick(now: Instant): void {
    this.dtls?.tick(now);
    this.coap.tick(now);
  }

  /** Sends a request outside the script. */
  request(peer: Peer, request: CoapRequest): void {
    this.coap.request(peer, request, this.world.clock.now(), (result) => void this.results.push(result));
  }

  /** Ends all associations. */
  disconnect(): void {
    for (const association of [...this.#associations.values()]) this.dtls?.close(association, this.world.clock.now());
  }

  #receive(bytes: Uint8Array, peer: Peer): void {
    if (this.dtls === undefined) this.coap.receive(peer, bytes, this.world.clock.now());
    else this.dtls.receive(peer, bytes, this.world.clock.now());
  }

  #send(peer: Peer, bytes: Uint8Array): void {
    if (this.dtls === undefined) this.world.send(bytes, this.here, peer);
    else this.#associations.get(peer.key)?.send(bytes, this.world.clock.now());
  }

  #request(request: IncomingRequest<Peer>): void {
    this.requests.push(request);
    const answer = typeof this.answer === "function" ? this.answer(request) : this.answer;
    if (answer === undefined) return;
    request.respond(answer, this.world.clock.now());
    if (answer.code === "2.04") this.#play(request.peer, request.query, 0);
  }

  /** Repeats a step that is not answered under a new message id, as Berth's instances do. */
  #play(peer: Peer, query: readonly string[], step: number, tries = 1): void {
    const next = this.script[step];
    if (next === undefined) return;
    this.coap.request(peer, next, this.world.clock.now(), (result) => {
      this.results.push(result);
      if ("failure" in result) {
        if (result.failure === "timeout" && tries < TRIES) this.#play(peer, query, step, tries + 1);
        return;
      }
      if (next.path.join() === "bs" && result.response.code === "2.04") {
        this.finished.push(query.find((item) => item.startsWith("ep="))?.slice(3) ?? "");
        const association = this.#associations.get(peer.key);
        if (this.closes && association !== undefined) this.dtls?.close(association, this.world.clock.now());
      } else this.#play(peer, query, step + 1);
    });
  }
}

/** The codes of all results: what the device answered, or how a request failed. */
export function codesOf(results: readonly RequestResult[]): string[] {
  return results.map((result) => ("response" in result ? result.response.code : result.failure));
}
