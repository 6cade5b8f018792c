import type { Instant, Milliseconds } from "../lib/clock.ts";
import { BerthError } from "../lib/errors.ts";
import { ContentFormat } from "../lwm2m/index.ts";
import { type Recipe, usesCounter } from "../naming/index.ts";
import { type HostAddresses, ResolveError, type UdpSocket } from "../net/index.ts";
import { type BootstrapAccount, bootstrapAccount } from "./account.ts";
import { portOf } from "./bootstrap-request.ts";
import { type Candidate, type CandidateKind, candidates, type NamingSource } from "./candidates.ts";
import type { DeviceEnvironment } from "./environment.ts";
import { DEFAULT_RETRY, type RetryOptions, retryDelay } from "./retry.ts";
import { BootstrapSession, DEFAULT_LIMITS, type Failure, type SessionLimits } from "./session.ts";
import type { ObjectTree } from "./tree.ts";

/** The device gave up, or was stopped. Codes `bootstrap-failed` and `stopped`. */
export class BootstrapFailed extends BerthError {}

/** A device: what it holds and how it behaves. */
export interface DeviceOptions {
  /** Endpoint client name, as sent in `ep`. */
  readonly endpoint: string;
  /** What the device holds when it starts, its bootstrap account at least: see {@link factoryTree}. */
  readonly tree: ObjectTree;
  /** Without a recipe the device asks its static URI only, as any LwM2M client does. */
  readonly recipe?: Recipe;
  /** What names are derived from; the account's pre-shared key unless given. */
  readonly secret?: Uint8Array;
  /** The lowest counter not used yet, for recipes with one. Default 0. */
  readonly counter?: number;
  /** Content-Format asked for (`pct`). Default SenML CBOR; `none` as in LwM2M 1.0. */
  readonly preferredFormat?: number | "none";
  readonly retry?: Partial<RetryOptions>;
  readonly limits?: Partial<SessionLimits>;
  /** After this many failed attempts the device gives up. Default: never. */
  readonly maxAttempts?: number;
}

/** Where an attempt goes. */
export interface Attempt {
  /** From 1. */
  readonly number: number;
  readonly kind: CandidateKind;
  readonly address: string;
  readonly port: number;
  /** The host name asked for: secret while it lives, so not for logs. */
  readonly host: string;
}

/** A finished bootstrap. */
export interface BootstrapResult extends Attempt {
  readonly tree: ObjectTree;
  /** From the start of the first attempt to Finish. */
  readonly elapsed: Milliseconds;
  /** For recipes with a counter: the one to go on with next time. */
  readonly nextCounter?: number;
}

/** What a device tells its user; all optional. */
export interface DeviceEvents {
  attempt?(attempt: Attempt): void;
  /** An attempt failed; the next begins in `retryIn` ms, or never. */
  failed?(failure: Failure & { readonly attempt: number; readonly retryIn: Milliseconds | undefined }): void;
  /** Finish was accepted. The association stays up a while, until {@link DeviceEvents.closed}. */
  configured?(result: BootstrapResult): void;
  /** Nothing of the device runs any more: it lingered long enough, gave up or was stopped. Once. */
  closed?(): void;
}

/** Where the device stands. */
type State =
  | { readonly name: "new" }
  | { readonly name: "waiting"; readonly until: Instant }
  /** Looking names up and opening a socket. */
  | { readonly name: "locating" }
  | { readonly name: "in-session"; readonly session: BootstrapSession; readonly socket: UdpSocket }
  | { readonly name: "closed" };

/** One LwM2M device that bootstraps through its temporary URI (D1-D3, D7, D8). */
export class BootstrapClient {
  readonly #options: DeviceOptions;
  readonly #world: DeviceEnvironment;
  readonly #events: DeviceEvents;
  #state: State = { name: "new" };
  #tree: ObjectTree;
  readonly #counter: number;
  #attempts = 0;
  #failures = 0;
  #firstAttempt: Instant | undefined;
  #deadline: Instant | undefined;
  #settle: { resolve(result: BootstrapResult): void; reject(error: unknown): void } | undefined;

  /**
   * @throws NoBootstrapAccount, and naming's errors when account, recipe and secret do not go
   *   together: better now than at the first attempt
   */
  constructor(options: DeviceOptions, environment: DeviceEnvironment, events: DeviceEvents = {}) {
    this.#options = options;
    this.#world = environment;
    this.#events = events;
    this.#tree = options.tree;
    this.#counter = options.counter ?? 0;
    candidates(this.#naming(bootstrapAccount(options.tree)), environment.wallClock.now()).next();
  }

  /** The objects the device holds: those of the last finished bootstrap, else those it started with. */
  get tree(): ObjectTree {
    return this.#tree;
  }

  /**
   * Bootstraps, with as many attempts as it takes.
   * @returns as soon as Finish is accepted
   * @throws BootstrapFailed after `maxAttempts`, or when stopped; OpenSslUnavailable
   */
  bootstrap(): Promise<BootstrapResult> {
    const holdOff = bootstrapAccount(this.#tree).holdOff * 1000;
    return new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
      this.#world.timers.add(this);
      this.#wait(holdOff);
      this.tick(this.#world.clock.now());
    });
  }

  /** Stops at once. A session in progress is lost; the tree stays as it was before. */
  stop(): void {
    this.#close(new BootstrapFailed("stopped", "the device was stopped"));
  }

  nextDeadline(): Instant | undefined {
    return this.#deadline;
  }

  tick(now: Instant): void {
    const state = this.#state;
    if (state.name === "in-session") {
      state.session.tick(now);
      this.#updateDeadline();
    } else if (state.name === "waiting" && state.until <= now) {
      this.#state = { name: "locating" };
      this.#updateDeadline();
      this.#attempt().catch((error: unknown) => this.#close(error));
    }
  }

  async #attempt(): Promise<void> {
    this.#attempts += 1;
    this.#firstAttempt ??= this.#world.clock.now();
    const account = bootstrapAccount(this.#tree);
    const found = await this.#locate(account);
    if (this.#state.name !== "locating") return;
    if ("cause" in found) return this.#failed(found);
    const { candidate, address } = found;
    const peer = { address, port: portOf(candidate.target) };
    const attempt: Attempt = { number: this.#attempts, kind: candidate.kind, host: candidate.target.host, ...peer };
    this.#events.attempt?.(attempt);
    let session: BootstrapSession | undefined;
    let socket: UdpSocket;
    try {
      socket = await this.#world.openSocket({
        address: address.includes(":") ? "::" : "0.0.0.0",
        port: 0,
        receiveBuffer: RECEIVE_BUFFER,
        peer,
        onDatagram: (bytes, from, port) => {
          if (from !== peer.address || port !== peer.port) return;
          session?.receive(bytes, this.#world.clock.now());
          this.#updateDeadline();
        },
        onError: (error) => session?.abort({ cause: "unreachable", detail: error.message }, this.#world.clock.now()),
      });
    } catch (error) {
      if (!(error instanceof BerthError)) throw error;
      return this.#failed({ cause: "unreachable", detail: error.message });
    }
    if (this.#state.name !== "locating") return void socket.close();
    session = this.#openSession(account, attempt, candidate, socket);
    this.#state = { name: "in-session", session, socket };
    session.start(this.#world.clock.now());
    this.#updateDeadline();
  }

  /** The first candidate that resolves (D7). */
  async #locate(account: BootstrapAccount): Promise<{ candidate: Candidate; address: string } | Failure> {
    let failure: Failure = { cause: "name-not-found" };
    for (const candidate of candidates(this.#naming(account), this.#world.wallClock.now())) {
      // A silent resolver would be as silent about the neighbours; the static host may be in its cache.
      if (failure.cause === "resolver-failed" && candidate.kind !== "static") continue;
      try {
        const address = pickAddress(await this.#world.resolve(candidate.target.host), this.#attempts);
        if (address !== undefined) return { candidate, address };
      } catch (error) {
        if (!(error instanceof ResolveError)) throw error;
        if (error.code === "resolver-failed") failure = { cause: "resolver-failed", detail: error.message };
      }
      if (this.#state.name !== "locating") break;
    }
    return failure;
  }

  #openSession(account: BootstrapAccount, attempt: Attempt, candidate: Candidate, socket: UdpSocket): BootstrapSession {
    const { endpoint, preferredFormat = ContentFormat.senmlCbor, limits } = this.#options;
    const { address, port } = attempt;
    return new BootstrapSession(
      {
        endpoint,
        account,
        target: candidate.target,
        tree: this.#tree,
        preferredFormat: preferredFormat === "none" ? undefined : preferredFormat,
        limits: { ...DEFAULT_LIMITS, ...limits },
        random: this.#world.random,
        openssl: this.#world.openssl,
      },
      {
        send: (datagram) => socket.send(datagram, port, address),
        configured: (tree) => this.#configured(tree, attempt, candidate),
        ended: (failure) => {
          void socket.close();
          if (failure === undefined) this.#close(undefined);
          else if (this.#state.name === "in-session") this.#failed(failure);
        },
      },
    );
  }

  #configured(tree: ObjectTree, attempt: Attempt, candidate: Candidate): void {
    this.#tree = tree;
    const used = candidate.step.counter ?? this.#counter;
    const { recipe } = this.#options;
    const counter = recipe !== undefined && usesCounter(recipe) ? { nextCounter: used + 1 } : {};
    const started = this.#firstAttempt ?? 0;
    const result: BootstrapResult = { ...attempt, tree, elapsed: this.#world.clock.now() - started, ...counter };
    this.#events.configured?.(result);
    this.#settle?.resolve(result);
    this.#settle = undefined;
  }

  #failed(failure: Failure): void {
    this.#failures += 1;
    const { maxAttempts = Number.POSITIVE_INFINITY, retry } = this.#options;
    const over = this.#attempts >= maxAttempts;
    const delay = retryDelay(this.#failures, { ...DEFAULT_RETRY, ...retry }, this.#world.random, failure.maxAge);
    this.#state = { name: "waiting", until: Number.POSITIVE_INFINITY };
    this.#events.failed?.({ ...failure, attempt: this.#attempts, retryIn: over ? undefined : delay });
    if (this.#state.name !== "waiting") return; // stopped by its user
    if (over) {
      const last = failure.detail === undefined ? failure.cause : `${failure.cause}: ${failure.detail}`;
      this.#close(new BootstrapFailed("bootstrap-failed", `gave up after ${this.#attempts} attempts, the last: ${last}`));
    } else this.#wait(delay);
  }

  #wait(span: Milliseconds): void {
    this.#state = { name: "waiting", until: this.#world.clock.now() + span };
    this.#updateDeadline();
  }

  #close(error: unknown): void {
    const state = this.#state;
    if (state.name === "closed") return;
    this.#state = { name: "closed" };
    this.#deadline = undefined;
    this.#world.timers.remove(this);
    if (state.name === "in-session") {
      state.session.abort({ cause: "connection-lost" }, this.#world.clock.now());
      void state.socket.close();
    }
    this.#settle?.reject(error);
    this.#settle = undefined;
    this.#events.closed?.();
  }

  /** Kept as a number, as thousands of devices are asked for it every few milliseconds. */
  #updateDeadline(): void {
    const state = this.#state;
    if (state.name === "in-session") this.#deadline = state.session.nextDeadline();
    else this.#deadline = state.name === "waiting" ? state.until : undefined;
  }

  #naming(account: BootstrapAccount): NamingSource {
    const { recipe, endpoint, secret } = this.#options;
    const key = account.credential.mode === "psk" ? account.credential.key : new Uint8Array();
    return {
      staticUri: account.uri,
      ...(recipe === undefined ? {} : { recipe }),
      secret: secret ?? key,
      endpoint,
      counter: this.#counter,
    };
  }
}

/** Room for a few datagrams: one request is outstanding at a time. */
const RECEIVE_BUFFER = 64 * 1024;

/**
 * One address per attempt. A name has one per family (R5): IPv4 first, as a host with a broken IPv6 path notices
 * only by losing the attempt; the next attempt takes the other family.
 */
function pickAddress({ ipv4, ipv6 }: HostAddresses, attempt: number): string | undefined {
  const all = [...ipv4, ...ipv6.map(canonical)];
  return all[(attempt - 1) % all.length];
}

/** The one form (RFC 5952) in which sockets tell where a datagram came from. */
function canonical(ipv6: string): string {
  return new URL(`coap://[${ipv6}]`).hostname.slice(1, -1);
}
