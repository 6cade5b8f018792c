import assert from "node:assert/strict";
import { parse } from "coap-packet";
import type { Caller } from "../../../src/bootstrap/index.ts";
import {
  CoapEndpoint,
  type CoapOptions,
  type CoapRequest,
  type CoapResponse,
  type IncomingRequest,
  type RequestResult,
  type ResponseCode,
} from "../../../src/coap/index.ts";
import { seededRandom } from "../../../src/lib/random.ts";
import { decodeContent, encodeContent, formatPath, type ObjectInstance, resourceValue } from "../../../src/lwm2m/index.ts";
import { describe, type World } from "../lockstep.ts";

type Server = { readonly key: string };
const SERVER: Server = { key: "server" };

/** How one of the clients in the field behaves, as observed on the wire. */
export interface Behaviour {
  /** The instance of /0 that is its bootstrap account. */
  readonly account: number;
  /** Objects it has beside /0, /1 and /2. */
  readonly objects?: readonly number[];
  /** Its answer to Discover of /. */
  discover(client: ScriptedClient): CoapResponse;
  /** Its answer to a Write whose payload it could read; undefined is 2.04. */
  write?(path: readonly number[], instances: readonly ObjectInstance[]): ResponseCode | undefined;
  /** What it says of a Content-Format; undefined of one that it reads. */
  refuseFormat(format: number | undefined): ResponseCode | undefined;
  /** Its answer to a Delete; it does it if that is 2.02. */
  delete(path: readonly number[], client: ScriptedClient): ResponseCode;
  /** Its answer to Read. */
  read(path: readonly number[], accept: number | undefined, client: ScriptedClient): CoapResponse;
  /** Its answer to Finish; undefined is 2.04. */
  finish?(client: ScriptedClient): ResponseCode | undefined;
  /** Finish is answered by an empty acknowledgement, and then by a message of its own. */
  readonly finishesLate?: boolean;
  readonly coap?: Partial<CoapOptions>;
  /** Datagrams it does not understand and drops. */
  drops?(datagram: Buffer, client: ScriptedClient): boolean;
}

/** A client that is played by a {@link Behaviour}. What crosses the wire is written down as a ladder diagram. */
export class ScriptedClient {
  readonly world: World;
  readonly behaviour: Behaviour;
  /** `--> CON POST /bs` from the client, `<-- ACK 2.04` from the instance. */
  readonly ladder: string[] = [];
  /** What it has in its objects, by path of the instance. */
  readonly instances: Map<string, ObjectInstance> = new Map();
  readonly caller: Caller;
  finished = false;
  readonly #coap: CoapEndpoint<Server>;
  readonly #underWay: (() => void)[] = [];
  #delivering = false;

  constructor(world: World, behaviour: Behaviour, caller: Partial<Caller> = {}) {
    this.world = world;
    this.behaviour = behaviour;
    const account = [0, behaviour.account];
    this.instances.set(formatPath(account), { objectId: 0, id: behaviour.account, resources: new Map() });
    this.caller = {
      key: `scripted ${++made}`,
      address: "192.0.2.1",
      port: 50_000,
      proven: { mode: "psk", identity: "id-urn:dev:1" },
      serverName: undefined,
      send: (datagram) => this.#carry("<--", datagram, (bytes) => this.#hear(bytes)),
      close: (now) => world.service.lost(this.caller, false, now),
      ...caller,
    };
    this.#coap = new CoapEndpoint(
      { random: seededRandom(2), ...behaviour.coap },
      {
        send: (_, datagram) =>
          this.#carry("-->", datagram, (bytes) => world.service.receive(this.caller, bytes, world.clock.now())),
        request: (request, now) => this.#serve(request, now),
      },
    );
  }

  /** Sends a request, and lets everything happen that happens at once. */
  asks(request: CoapRequest): Promise<RequestResult> {
    return new Promise((resolve) => {
      this.#coap.request(SERVER, request, this.world.clock.now(), resolve);
    });
  }

  /** A Bootstrap-Request. */
  requests(...query: readonly string[]): Promise<RequestResult> {
    return this.asks({ method: "POST", path: ["bs"], query });
  }

  /** Lets time pass for both sides. */
  passes(milliseconds: number): void {
    for (let passed = 0; passed < milliseconds; passed += 20) {
      this.world.passes(20);
      this.#coap.tick(this.world.clock.now());
    }
  }

  /** Asserts what crossed the wire since this was last asked. */
  shows(diagram: string): void {
    const lines = diagram.split("\n").map((line) => line.replace(/#.*/, "").trim().replaceAll(/ +/g, " "));
    assert.deepEqual(
      this.ladder.splice(0),
      lines.filter((line) => line !== ""),
    );
  }

  /** Short server ids of the accounts it has, by path. */
  accounts(): Record<string, number | undefined> {
    const accounts = [...this.instances].filter(([path]) => /^\/[01]\//.test(path)).sort();
    return Object.fromEntries(
      accounts.map(([path, instance]) => {
        const ssid = resourceValue(instance, instance.objectId === 0 ? 10 : 0, "integer");
        return [path, ssid === undefined ? undefined : Number(ssid)];
      }),
    );
  }

  /** Its instances in link format, as LwM2M 1.1 and later have it: servers' with their short server id. */
  links(): string[] {
    const ssids = this.accounts();
    return [...this.instances.keys()].map((path) => `<${path}>${ssids[path] === undefined ? "" : `;ssid=${ssids[path]}`}`);
  }

  /** The instances of an object, in a format. */
  contentOf(objectId: number, contentFormat: number): CoapResponse {
    const instances = [...this.instances.values()].filter((instance) => instance.objectId === objectId);
    return { code: "2.05", contentFormat, payload: encodeContent(contentFormat, [objectId], instances) };
  }

  /** Datagrams arrive one after the other, as they would on a wire: none while another is being dealt with. */
  #carry(arrow: string, datagram: Uint8Array, deliver: (bytes: Buffer) => void): void {
    const bytes = Buffer.from(datagram);
    this.ladder.push(`${arrow} ${describe(parse(bytes))}`);
    this.#underWay.push(() => deliver(bytes));
    if (this.#delivering) return;
    this.#delivering = true;
    for (let next = this.#underWay.shift(); next !== undefined; next = this.#underWay.shift()) next();
    this.#delivering = false;
  }

  #hear(bytes: Buffer): void {
    if (this.behaviour.drops?.(bytes, this) !== true) this.#coap.receive(SERVER, bytes, this.world.clock.now());
  }

  #serve(request: IncomingRequest<Server>, now: number): void {
    const finish = request.method === "POST" && request.path[0] === "bs";
    const answer = finish ? (this.behaviour.finish?.(this) ?? "2.04") : this.#operate(request);
    const response = typeof answer === "string" ? { code: answer } : answer;
    if (finish && response.code === "2.04") this.finished = true;
    request.respond(response, now, finish && this.behaviour.finishesLate === true ? () => {} : undefined);
  }

  #operate({ method, path: segments, accept, contentFormat, payload }: IncomingRequest<Server>): CoapResponse | ResponseCode {
    const path = segments.map(Number);
    if (method === "GET" && path.length === 0) return this.behaviour.discover(this);
    if (method === "GET") return this.behaviour.read(path, accept, this);
    if (method === "DELETE") return this.#delete(path);
    assert.equal(method, "PUT");
    const [objectId = 0] = path;
    if (![0, 1, 2, ...(this.behaviour.objects ?? [3])].includes(objectId)) return "4.04";
    const refused = this.behaviour.refuseFormat(contentFormat);
    if (refused !== undefined) return refused;
    const written = decodeContent(contentFormat ?? 0, path, payload);
    const code = this.behaviour.write?.(path, written) ?? "2.04";
    if (code === "2.04") for (const instance of written) this.instances.set(formatPath([objectId, instance.id]), instance);
    return code;
  }

  #delete(path: readonly number[]): ResponseCode {
    const code = this.behaviour.delete(path, this);
    if (code !== "2.02") return code;
    for (const [key, { objectId, id }] of this.instances) {
      const own = objectId === 0 && id === this.behaviour.account;
      const hit = [objectId, id].slice(0, path.length).every((part, index) => part === path[index]);
      if (hit && (!own || path.length === 2)) this.instances.delete(key);
    }
    return code;
  }
}

let made = 0;
