import {
  type CancelRequest,
  CoapEndpoint,
  Code,
  EXCHANGE_LIFETIME,
  type IncomingRequest,
  type ReceivedResponse,
  type RequestFailure,
  type RequestResult,
} from "../coap/index.ts";
import type { CloseReason, OpenSsl } from "../dtls/index.ts";
import type { Clock, Instant, Milliseconds } from "../lib/clock.ts";
import type { Random } from "../lib/random.ts";
import type { Target } from "../naming/index.ts";
import type { BootstrapAccount } from "./account.ts";
import { answerText, busy, type Failure, notStored } from "./failure.ts";
import { type Link, openLink } from "./link.ts";
import { type OperationContext, performOperation } from "./operations.ts";
import { accountLinks, applyPack } from "./pack.ts";
import { type Question, toRequest } from "./requests.ts";
import type { ObjectTree } from "./tree.ts";

/** How long a device waits for what. */
export interface SessionLimits {
  /** For the DTLS handshake. */
  readonly handshake: Milliseconds;
  /** From a request of the device to its answer. */
  readonly answer: Milliseconds;
  /** From the server's last request, or the 2.04, to the next or to Finish. */
  readonly finish: Milliseconds;
  /** Without a datagram from the server, at any time before Finish. Unlimited unless given. */
  readonly silence?: Milliseconds;
  /** After Finish: quiet time until the association is given up; meanwhile repeated requests are answered. */
  readonly linger: Milliseconds;
}

/**
 * 93 s is MAX_TRANSMIT_WAIT, 247 s EXCHANGE_LIFETIME (RFC 7252 section 4.8.2): bootstrap has failed when Finish is
 * not there by then (LwM2M Core 1.2, section 6.1.7.6). 40 s is longer than a server is silent between two tries of Finish.
 */
export const DEFAULT_LIMITS: SessionLimits = { handshake: 93_000, answer: 93_000, finish: EXCHANGE_LIFETIME, linger: 40_000 };

export interface SessionOptions {
  readonly endpoint: string;
  readonly account: BootstrapAccount;
  readonly target: Target;
  /** The tree as it is now; it is not changed by what happens in a session that fails. */
  readonly tree: ObjectTree;
  /** What to ask, one after the other until the server agrees; one at least. */
  readonly questions: readonly Question[];
  readonly device: Omit<OperationContext, "before">;
  readonly limits: SessionLimits;
  readonly random: Random;
  /** Certificates are judged by it. */
  readonly wallClock: Clock;
  readonly openssl: () => OpenSsl;
}

/** What a session wants done. Called synchronously from its methods. */
export interface SessionEffects {
  send(datagram: Uint8Array): void;
  /**
   * The server is done and the configuration is consistent: `tree` is to be the device's. Called before the server is told;
   * if it throws, the server is told that it failed, and it may be called again.
   */
  store(tree: ObjectTree): void;
  /** What was stored is the device's configuration, and the server knows. At most once. */
  configured(): void;
  /** The session is over: it failed, or (undefined) it was configured and has lingered long enough. Once. */
  ended(failure: Failure | undefined): void;
}

/** Where a session stands; `tree` is the server's work so far, which counts only after Finish. */
type Phase =
  | { readonly name: "idle" }
  | { readonly name: "securing" }
  | { readonly name: "requesting"; readonly until: Instant }
  | {
      readonly name: "configuring";
      readonly until: Instant;
      readonly tree: ObjectTree;
      /** Why the last Finish was not accepted. */
      readonly refusal: Failure | undefined;
    }
  | { readonly name: "lingering"; readonly until: Instant }
  | { readonly name: "ended" };

const SERVER = { key: "server" } as const;
type Server = typeof SERVER;

/**
 * One attempt to bootstrap from one address (D2): handshake, Bootstrap-Request, the server's requests, Finish; or
 * handshake, Bootstrap-Pack-Request, and the Pack.
 */
export class BootstrapSession {
  readonly #options: SessionOptions;
  readonly #effects: SessionEffects;
  readonly #link: Link;
  readonly #coap: CoapEndpoint<Server>;
  readonly #questions: Question[];
  #asked: Question | undefined;
  #phase: Phase = { name: "idle" };
  #now: Instant = 0;
  #heard: Instant = 0;
  #cancelRequest: CancelRequest = () => {};

  constructor(options: SessionOptions, effects: SessionEffects) {
    this.#options = options;
    this.#effects = effects;
    this.#questions = [...options.questions];
    const { account, target, limits, random, wallClock, openssl } = options;
    const serverName = account.sni ?? target.host.replace(/^\[|\]$/g, "");
    this.#link = openLink(
      { credential: account.credential, serverName, handshakeTimeout: limits.handshake, wallClock, openssl },
      {
        send: effects.send,
        ready: () => this.#askNext(),
        message: (bytes) => this.#coap.receive(SERVER, bytes, this.#now),
        closed: (reason) => this.#linkClosed(reason),
      },
    );
    this.#coap = new CoapEndpoint<Server>(
      { random },
      {
        send: (_server, bytes) => this.#link.send(bytes, this.#now),
        request: (request) => this.#serve(request),
      },
    );
  }

  /** What the server was asked last. */
  get asked(): Question | undefined {
    return this.#asked;
  }

  start(now: Instant): void {
    this.#now = this.#heard = now;
    this.#phase = { name: "securing" };
    this.#link.start(now);
  }

  /** Takes in a datagram of the server; the caller has checked that it comes from there. */
  receive(datagram: Uint8Array, now: Instant): void {
    if (this.#phase.name === "ended") return;
    this.#now = this.#heard = now;
    this.#link.receive(datagram, now);
  }

  tick(now: Instant): void {
    if (this.#phase.name === "ended") return;
    this.#now = now;
    this.#link.tick(now);
    this.#coap.tick(now);
    this.#checkLimits(now);
  }

  nextDeadline(): Instant | undefined {
    const phase = this.#phase;
    if (phase.name === "ended" || phase.name === "idle") return undefined;
    const deadlines = [this.#link.nextDeadline(), this.#coap.nextDeadline(), "until" in phase ? phase.until : undefined];
    if (phase.name !== "lingering") deadlines.push(this.#silentUntil());
    return deadlines.reduce((a, b) => (a === undefined || (b !== undefined && b < a) ? b : a), undefined);
  }

  /** Ends the session from outside. What was not finished is lost, as it must be. */
  abort(failure: Failure, now: Instant): void {
    this.#now = now;
    this.#end(this.#phase.name === "lingering" ? undefined : failure);
  }

  /** Asks the next question; false when there is none left. */
  #askNext(): boolean {
    const question = this.#questions.shift();
    if (question === undefined) return false;
    this.#asked = question;
    const { target, endpoint, limits, tree } = this.#options;
    this.#phase = { name: "requesting", until: this.#now + limits.answer };
    const request = toRequest(question, target, endpoint, accountLinks(tree));
    this.#cancelRequest = this.#coap.request(SERVER, request, this.#now, (result) => this.#answered(question, result));
    return true;
  }

  #answered(question: Question, result: RequestResult): void {
    const phase = this.#phase;
    if ("failure" in result) {
      // Once the server configures the device, a lost answer to its request no longer matters.
      if (phase.name === "requesting") this.#notAnswered(question, result.failure);
    } else if (phase.name === "requesting" || phase.name === "configuring") {
      if (result.response.code === Code.serviceUnavailable) this.#end(busy(result.response));
      else if (question.kind === "bootstrap") this.#requestAnswered(question, result.response);
      else if (phase.name === "requesting") this.#packAnswered(result.response);
    }
  }

  #notAnswered(question: Question, failure: RequestFailure): void {
    // What comes to pieces or is rejected as a Pack can still be had one by one.
    if (failure === "timeout") this.#end({ cause: "no-answer" });
    else if (question.kind !== "pack" || !this.#askNext()) this.#end({ cause: "refused", detail: failure });
  }

  #requestAnswered(question: Question, { code, payload }: ReceivedResponse): void {
    const waiting = this.#phase.name === "requesting";
    if (code === Code.changed) {
      if (waiting) this.#configure(this.#options.tree);
    } else if (!(waiting && code === Code.unsupportedContentFormat && question.format !== undefined && this.#askNext())) {
      this.#end({ cause: "refused", detail: answerText(code, payload) });
    }
  }

  /** Whatever is wrong with a Pack, or keeps the server from giving one, a Bootstrap-Request may still do. */
  #packAnswered(response: ReceivedResponse): void {
    const { tree, device } = this.#options;
    const given = response.code === Code.content ? applyPack(tree, response, { ...device, before: tree }) : undefined;
    if (given === undefined || "problems" in given) {
      this.#askNext();
      return;
    }
    try {
      this.#effects.store(given.tree);
    } catch (error) {
      this.#end(notStored(error));
      return;
    }
    this.#linger();
    this.#effects.configured();
  }

  #configure(tree: ObjectTree, refusal?: Failure): void {
    this.#phase = { name: "configuring", until: this.#now + this.#options.limits.finish, tree, refusal };
  }

  #serve(request: IncomingRequest<Server>): void {
    const phase = this.#phase;
    if (phase.name === "lingering") {
      // Repeated under a new message id because our 2.04 was lost; anything else comes too late.
      const isFinish = request.method === "POST" && request.path.join("/") === "bs";
      request.respond({ code: isFinish ? Code.changed : Code.badRequest }, this.#now);
      this.#linger();
      return;
    }
    if (phase.name !== "requesting" && phase.name !== "configuring") return;
    // A request that overtook the 2.04 says as much as the 2.04 itself.
    const { tree, device } = this.#options;
    const done = performOperation(phase.name === "configuring" ? phase.tree : tree, request, { ...device, before: tree });
    if (done.finished) {
      this.#finish(request, done.tree);
      return;
    }
    request.respond(done.response, this.#now);
    const inconsistent = request.method === "POST" && done.response.code === Code.notAcceptable;
    this.#configure(
      done.tree,
      inconsistent ? { cause: "inconsistent", detail: answerText(Code.notAcceptable, done.response.payload) } : undefined,
    );
  }

  /** The server may repeat a Finish that failed for lack of room, and by then there may be some. */
  #finish(request: IncomingRequest<Server>, tree: ObjectTree): void {
    try {
      this.#effects.store(tree);
    } catch (error) {
      request.respond({ code: Code.internalServerError }, this.#now);
      this.#configure(tree, notStored(error));
      return;
    }
    request.respond({ code: Code.changed }, this.#now);
    this.#linger();
    this.#cancelRequest(this.#now);
    this.#effects.configured();
  }

  #linger(): void {
    this.#phase = { name: "lingering", until: this.#now + this.#options.limits.linger };
  }

  #checkLimits(now: Instant): void {
    const phase = this.#phase;
    if ("until" in phase && phase.until <= now) {
      if (phase.name === "lingering") this.#end(undefined);
      else this.#end(phase.name === "requesting" ? { cause: "no-answer" } : (phase.refusal ?? { cause: "no-finish" }));
      return;
    }
    const silentUntil = this.#silentUntil();
    if (silentUntil === undefined || silentUntil > now) return;
    if (phase.name === "securing") this.#end({ cause: "handshake-timeout" });
    else if (phase.name === "requesting") this.#end({ cause: "no-answer" });
    else if (phase.name === "configuring") this.#end(phase.refusal ?? { cause: "no-finish" });
  }

  #silentUntil(): Instant | undefined {
    const { silence } = this.#options.limits;
    return silence === undefined ? undefined : this.#heard + silence;
  }

  #linkClosed(reason: CloseReason): void {
    const phase = this.#phase;
    if (phase.name === "lingering") this.#end(undefined);
    else if (reason === "handshake-timeout") this.#end({ cause: "handshake-timeout" });
    else if (phase.name === "securing") this.#end({ cause: "handshake-failed", detail: reason });
    else if (phase.name === "configuring" && phase.refusal !== undefined) this.#end(phase.refusal);
    else this.#end({ cause: "connection-lost", detail: reason });
  }

  #end(failure: Failure | undefined): void {
    if (this.#phase.name === "ended") return;
    this.#phase = { name: "ended" };
    this.#coap.forget(SERVER, this.#now);
    this.#link.close(this.#now);
    this.#effects.ended(failure);
  }
}
