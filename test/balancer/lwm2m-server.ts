import { createHash } from "node:crypto";
import type { ServerOptions } from "node:https";
import { LeshanSource, type LeshanSourceOptions, SourceFollower } from "../../src/balancer/index.ts";
import type { Logger } from "../../src/lib/log.ts";
import { breathe } from "../../src/net/index.ts";
import { type Certificates, ScriptedServer } from "../support/https.ts";
import { deviceInput, endpointOf, MINUTE, type World } from "./world.ts";

const PATH = "/api/security/clients";

/** How often the sources of these tests are asked. */
export const EVERY = 30_000;

/** An LwM2M server that gives its clients to whoever shows a certificate of its CA and the token. */
export class Lwm2mServer {
  /** Clients by endpoint, as its API says them. */
  readonly clients: Map<string, object> = new Map();
  readonly token: string = "a-token-of-the-test";
  /** Whether it sends an ETag. */
  tagged = false;
  /** Answered instead of the clients. */
  instead: { readonly status: number; readonly body?: string } | undefined;
  readonly #certificates: Certificates;
  #server: ScriptedServer | undefined;

  constructor(certificates: Certificates) {
    this.#certificates = certificates;
  }

  async start(tls: ServerOptions = {}): Promise<this> {
    const { ca, server } = this.#certificates;
    this.#server = await ScriptedServer.start(
      ({ method, path, authorization, ifNoneMatch }) => {
        if (authorization !== `Bearer ${this.token}`) return { status: 401 };
        if (method !== "GET" || path !== PATH) return { status: 404 };
        if (this.instead !== undefined) return this.instead;
        const body = JSON.stringify([...this.clients.values()]);
        if (!this.tagged) return { status: 200, body };
        const etag = `"${createHash("sha256").update(body).digest("hex")}"`;
        return ifNoneMatch === etag ? { status: 304 } : { status: 200, body, headers: { etag } };
      },
      { cert: server.certificate, key: server.key, ca, requestCert: true, rejectUnauthorized: true, ...tls },
    );
    return this;
  }

  /** Clients with the keys of the devices by these numbers, in Leshan 2.0's form. */
  put(...numbers: number[]): void {
    for (const number of numbers) this.set(number, deviceInput(number).psk ?? "");
  }

  set(number: number, key: string): void {
    const endpoint = endpointOf(number);
    this.clients.set(endpoint, { endpoint, tls: { mode: "psk", details: { identity: endpoint, key } } });
  }

  drop(...numbers: number[]): void {
    for (const number of numbers) this.clients.delete(endpointOf(number));
  }

  /** Statuses cannot be seen from outside, so: whether the calls asked for what has changed only. */
  get calls(): readonly (string | undefined)[] {
    return this.#server?.seen.map(({ ifNoneMatch }) => ifNoneMatch) ?? [];
  }

  get url(): string {
    return `${this.#server?.url}${PATH}`;
  }

  async close(): Promise<void> {
    await this.#server?.close();
  }
}

/** What a test may want otherwise than most. */
export type FollowOptions = Partial<Omit<LeshanSourceOptions, "breathe">> & { readonly log: Logger };

/** A follower of a server's clients that asks when time has passed. */
export class Following {
  readonly follower: SourceFollower;
  readonly #world: World;

  private constructor(follower: SourceFollower, world: World) {
    this.follower = follower;
    this.#world = world;
  }

  static async start(world: World, server: Lwm2mServer, certificates: Certificates, options: FollowOptions): Promise<Following> {
    const { log, ...more } = options;
    const { ca, client } = certificates;
    const trust = { ca, token: server.token, certificate: client.certificate, key: client.key };
    const source = new LeshanSource({ name: "leshan", url: server.url, terms: {}, ...trust, ...more, breathe });
    const { balancer, storage, clock } = world;
    return new Following(await SourceFollower.start({ source, every: EVERY, balancer, storage, clock, breathe, log }), world);
  }

  /** Asks, if it is time. */
  async tick(): Promise<void> {
    this.follower.tick();
    await this.follower.idle();
  }

  /** Asks after as long as it asks the latest, failures or not. */
  async later(): Promise<void> {
    this.#world.clock.advance(EVERY);
    await this.tick();
  }

  async muchLater(): Promise<void> {
    this.#world.clock.advance(10 * MINUTE);
    await this.tick();
  }
}
