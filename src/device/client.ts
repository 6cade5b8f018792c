import type { Instant, Milliseconds } from "../lib/clock.ts";
import { BerthError } from "../lib/errors.ts";
import type { ObjectDefinitions } from "../lwm2m/index.ts";
import { type Recipe, usesCounter } from "../naming/index.ts";
import type { UdpSocket } from "../net/index.ts";
import { type BootstrapAccount, bootstrapAccount, withoutBootstrapAccount } from "./account.ts";
import { withCounter } from "./berth-object.ts";
import { type Candidate, type CandidateKind, candidates, checkNaming, type NamingSource, namingSource } from "./candidates.ts";
import { NoBootstrapAccount } from "./credential.ts";
import { type DialogueOptions, dialogueOf } from "./dialogue.ts";
import type { DeviceEnvironment } from "./environment.ts";
import type { Failure } from "./failure.ts";
import { locate } from "./locate.ts";
import { deviceObjects } from "./objects.ts";
import { portOf, questions } from "./requests.ts";
import { DEFAULT_RETRY, type RetryOptions, retryDelay } from "./retry.ts";
import { BootstrapSession, DEFAULT_LIMITS, type SessionLimits } from "./session.ts";
import type { DeviceState, DeviceStore } from "./state.ts";
import type { ObjectTree } from "./tree.ts";

/** The device gave up, or was stopped. Codes `bootstrap-failed` and `stopped`. */
export class BootstrapFailed extends BerthError {}

/** A device: what it holds and how it behaves. */
export interface DeviceOptions extends DeviceState, DialogueOptions {
  /** Endpoint client name, as sent in `ep`. */
  readonly endpoint: string;
  /** What the device holds when it starts, its bootstrap account at least: see {@link factoryTree}. */
  readonly tree: ObjectTree;
  /**
   * In place of what the device's Berth object says. With neither the device asks its static URI only, as any LwM2M client
   * does.
   */
  readonly recipe?: Recipe;
  /** What names are derived from. Default: what the Berth object says, else the account's pre-shared or public key. */
  readonly secret?: Uint8Array;
  /** The lowest counter not used yet, for recipes with one. Default: what the Berth object says, else 0. */
  readonly counter?: number;
  /** Objects the device has beside those every device has, or in place of them. */
  readonly objects?: ObjectDefinitions;
  /** Is given each new configuration before the server hears that it was accepted. Default: it is kept in memory only. */
  readonly store?: DeviceStore;
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
export interface BootstrapResult extends Attempt, DeviceState {
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
  /** Finish was accepted. The association stays up a while, until {@link DeviceEvents.lingered}. */
  configured?(result: BootstrapResult): void;
  /** The association of a finished bootstrap was given up. What may run on is the time of an account that is to be purged. */
  lingered?(): void;
  /** The time of the bootstrap account (/0/x/12) was over, and it is gone. */
  purged?(tree: ObjectTree): void;
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
  /** The session is over; the bootstrap account is to be purged some time. */
  | { readonly name: "configured" }
  | { readonly name: "closed" };

/** One LwM2M device that bootstraps through its temporary URI (D1-D3, D7, D8). */
export class BootstrapClient {
  readonly #options: DeviceOptions;
  readonly #world: DeviceEnvironment;
  readonly #events: DeviceEvents;
  #state: State = { name: "new" };
  readonly #dialogue: Required<DialogueOptions>;
  readonly #objects: ObjectDefinitions;
  #tree: ObjectTree;
  #attempts = 0;
  #failures = 0;
  /** A server that says nothing to a Pack-Request is not asked for a Pack again. */
  #packIsSilent = false;
  #firstAttempt: Instant | undefined;
  #deadline: Instant | undefined;
  #purgeAt: Instant | undefined;
  #settle: { resolve(result: BootstrapResult): void; reject(error: unknown): void } | undefined;

  /**
   * @throws NoBootstrapAccount, and naming's errors when account, recipe and secret do not go together: better now than
   *   at the first attempt; InvalidInput for options that contradict each other
   */
  constructor(options: DeviceOptions, environment: DeviceEnvironment, events: DeviceEvents = {}) {
    this.#options = options;
    this.#world = environment;
    this.#events = events;
    this.#dialogue = dialogueOf(options);
    this.#objects = deviceObjects(options.objects);
    this.#tree = options.tree;
    this.#account();
    this.#check(options.tree);
  }

  /** The objects the device holds: those of the last finished bootstrap, else those it started with. */
  get tree(): ObjectTree {
    return this.#tree;
  }

  /**
   * Bootstraps, with as many attempts as it takes.
   * @returns as soon as Finish is accepted
   * @throws BootstrapFailed after `maxAttempts`, or when stopped; NoBootstrapAccount when its time is over; OpenSslUnavailable
   */
  bootstrap(): Promise<BootstrapResult> {
    const holdOff = this.#account().holdOff * 1000;
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
    if (this.#purgeAt !== undefined && this.#purgeAt <= now) this.#purge();
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
    const account = this.#account();
    const found = await locate(
      candidates(this.#naming(this.#tree), this.#world.wallClock.now()),
      this.#attempts,
      (host) => this.#world.resolve(host),
      () => this.#state.name === "locating",
    );
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
    try {
      session = this.#openSession(account, attempt, candidate, socket);
    } catch (error) {
      void socket.close();
      throw error;
    }
    this.#state = { name: "in-session", session, socket };
    session.start(this.#world.clock.now());
    this.#updateDeadline();
  }

  #openSession(account: BootstrapAccount, attempt: Attempt, candidate: Candidate, socket: UdpSocket): BootstrapSession {
    const { endpoint, limits } = this.#options;
    const { version, pack, formats } = this.#dialogue;
    const { address, port } = attempt;
    let result: BootstrapResult | undefined;
    const session: BootstrapSession = new BootstrapSession(
      {
        endpoint,
        account,
        target: candidate.target,
        tree: this.#tree,
        questions: questions(formats, pack && !this.#packIsSilent),
        device: { version, objects: this.#objects, check: (tree) => this.#check(tree) },
        limits: { ...DEFAULT_LIMITS, ...limits },
        random: this.#world.random,
        wallClock: this.#world.wallClock,
        openssl: this.#world.openssl,
      },
      {
        send: (datagram) => socket.send(datagram, port, address),
        store: (tree) => {
          result = this.#stored(tree, attempt, candidate);
        },
        configured: () => result && this.#configured(result),
        ended: (failure) => {
          void socket.close();
          if (failure === undefined) this.#lingered();
          else if (this.#state.name === "in-session") {
            this.#packIsSilent ||= failure.cause === "no-answer" && session.asked?.kind === "pack";
            this.#failed(failure);
          }
        },
      },
    );
    return session;
  }

  /** What a new configuration makes of the device, once that is safe. */
  #stored(written: ObjectTree, attempt: Attempt, candidate: Candidate): BootstrapResult {
    const { recipe, counter } = this.#naming(this.#tree);
    const counts = recipe !== undefined && usesCounter(recipe);
    const nextCounter = (candidate.step.counter ?? counter) + 1;
    const tree = counts ? withCounter(written, this.#tree, nextCounter) : written;
    const { timeout } = bootstrapAccount(tree);
    const state: DeviceState = {
      tree,
      ...(timeout === 0 ? {} : { accountExpires: this.#world.wallClock.now() + timeout * 1000 }),
    };
    this.#options.store?.save(state);
    const elapsed = this.#world.clock.now() - (this.#firstAttempt ?? 0);
    return { ...attempt, ...state, elapsed, ...(counts ? { nextCounter } : {}) };
  }

  #configured(result: BootstrapResult): void {
    this.#tree = result.tree;
    if (result.accountExpires !== undefined)
      this.#purgeAt = this.#world.clock.now() + bootstrapAccount(result.tree).timeout * 1000;
    this.#events.configured?.(result);
    this.#settle?.resolve(result);
    this.#settle = undefined;
  }

  #lingered(): void {
    if (this.#state.name === "in-session") this.#state = { name: "configured" };
    this.#updateDeadline();
    this.#events.lingered?.();
    if (this.#purgeAt === undefined) this.#close(undefined);
  }

  /** The account's time is over (/0/x/12). */
  #purge(): void {
    this.#purgeAt = undefined;
    this.#tree = withoutBootstrapAccount(this.#tree);
    try {
      this.#options.store?.save({ tree: this.#tree });
    } catch {
      // What is stored says when the account expires, so that it is purged when the device starts the next time.
    }
    this.#updateDeadline();
    this.#events.purged?.(this.#tree);
    if (this.#state.name === "configured") this.#close(undefined);
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
      this.#close(
        new BootstrapFailed(
          "bootstrap-failed",
          `gave up after ${this.#attempts === 1 ? "1 attempt" : `${this.#attempts} attempts, the last`}: ${last}`,
        ),
      );
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
    const next = state.name === "in-session" ? state.session.nextDeadline() : state.name === "waiting" ? state.until : undefined;
    this.#deadline = this.#purgeAt === undefined || (next !== undefined && next < this.#purgeAt) ? next : this.#purgeAt;
  }

  #account(): BootstrapAccount {
    const { accountExpires } = this.#options;
    if (accountExpires !== undefined && accountExpires <= this.#world.wallClock.now())
      throw new NoBootstrapAccount("the time of the bootstrap account is over (/0/x/12)");
    return bootstrapAccount(this.#tree);
  }

  #naming(tree: ObjectTree): NamingSource {
    return namingSource(tree, this.#options.endpoint, this.#options);
  }

  /** @throws BerthError for a tree the device could not bootstrap from */
  #check(tree: ObjectTree): void {
    checkNaming(this.#naming(tree), this.#world.wallClock.now());
  }
}

/** Room for a few datagrams: one request is outstanding at a time. */
const RECEIVE_BUFFER = 64 * 1024;
