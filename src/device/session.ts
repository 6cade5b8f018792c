import {
  type CancelRequest,
  CoapEndpoint,
  Code,
  EXCHANGE_LIFETIME,
  type IncomingRequest,
  type RequestResult,
} from "../coap/index.ts";
import type { CloseReason, OpenSsl } from "../dtls/index.ts";
import type { Instant, Milliseconds, Seconds } from "../lib/clock.ts";
import type { Random } from "../lib/random.ts";
import type { Target } from "../naming/index.ts";
import type { BootstrapAccount } from "./account.ts";
import { bootstrapRequest, isLiteral } from "./bootstrap-request.ts";
import { type Link, openLink } from "./link.ts";
import { performOperation } from "./operations.ts";
import { DEFAULT_MAX_AGE } from "./retry.ts";
import type { ObjectTree } from "./tree.ts";

/** How long a device waits for what. */
export interface SessionLimits {
  /** For the DTLS handshake. */
  readonly handshake: Milliseconds;
  /** From the Bootstrap-Request to its 2.04. */
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

/** Why an attempt to bootstrap failed. Stable; counted and logged. */
export type FailureCause =
  /** No candidate's name is in DNS. */
  | "name-not-found"
  /** The resolver did not answer. */
  | "resolver-failed"
  /** The socket could not be opened, or the host says that nobody listens there. */
  | "unreachable"
  | "handshake-timeout"
  /** The server refused the handshake, or its key is another. */
  | "handshake-failed"
  /** The Bootstrap-Request was not answered. */
  | "no-answer"
  /** The server does not want this device: an answer other than 2.04 and 5.03, one that cannot be read, or a Reset. */
  | "refused"
  /** 5.03 Service Unavailable: come back after Max-Age. */
  | "busy"
  /** The server stopped before Finish. */
  | "no-finish"
  /** Finish came, was refused because the configuration is inconsistent (4.06), and not corrected. */
  | "inconsistent"
  /** The server closed the association in the middle. */
  | "connection-lost";

/** One failed attempt. */
export interface Failure {
  readonly cause: FailureCause;
  /** For people: the response code and what the server wrote. Holds no secret. */
  readonly detail?: string;
  /** With `busy`: how long the server wants to be left alone. */
  readonly maxAge?: Seconds;
}

export interface SessionOptions {
  readonly endpoint: string;
  readonly account: BootstrapAccount;
  readonly target: Target;
  /** The tree as it is now; it is not changed by what happens in a session that fails. */
  readonly tree: ObjectTree;
  readonly preferredFormat: number | undefined;
  readonly limits: SessionLimits;
  readonly random: Random;
  readonly openssl: () => OpenSsl;
}

/** What a session wants done. Called synchronously from its methods. */
export interface SessionEffects {
  send(datagram: Uint8Array): void;
  /** Finish came and the configuration is consistent: `tree` is the device's now. At most once. */
  configured(tree: ObjectTree): void;
  /** The session is over: it failed, or (undefined) it was configured and has lingered long enough. Once. */
  ended(failure: Failure | undefined): void;
}

/** Where a session stands; `tree` is the server's work so far, which counts only after Finish. */
type Phase =
  | { readonly name: "idle" }
  | { readonly name: "securing" }
  | { readonly name: "requesting"; readonly until: Instant }
  | { readonly name: "configuring"; readonly until: Instant; readonly tree: ObjectTree; readonly refused: boolean }
  | { readonly name: "lingering"; readonly until: Instant }
  | { readonly name: "ended" };

const SERVER = { key: "server" } as const;
type Server = typeof SERVER;

/** One attempt to bootstrap from one address (D2): handshake, Bootstrap-Request, the server's requests, Finish. */
export class BootstrapSession {
  readonly #options: SessionOptions;
  readonly #effects: SessionEffects;
  readonly #link: Link;
  readonly #coap: CoapEndpoint<Server>;
  #phase: Phase = { name: "idle" };
  #now: Instant = 0;
  #heard: Instant = 0;
  #cancelRequest: CancelRequest = () => {};

  constructor(options: SessionOptions, effects: SessionEffects) {
    this.#options = options;
    this.#effects = effects;
    const { account, target, limits, random } = options;
    const serverName = account.sni ?? (isLiteral(target.host) ? undefined : target.host);
    this.#link = openLink(account.credential, serverName, limits.handshake, options.openssl, {
      send: effects.send,
      ready: () => this.#request(),
      message: (bytes) => this.#coap.receive(SERVER, bytes, this.#now),
      closed: (reason) => this.#linkClosed(reason),
    });
    this.#coap = new CoapEndpoint<Server>(
      { random },
      {
        send: (_server, bytes) => this.#link.send(bytes, this.#now),
        request: (request) => this.#serve(request),
      },
    );
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

  #request(): void {
    const { target, endpoint, preferredFormat, limits } = this.#options;
    this.#phase = { name: "requesting", until: this.#now + limits.answer };
    const request = bootstrapRequest(target, endpoint, preferredFormat);
    this.#cancelRequest = this.#coap.request(SERVER, request, this.#now, (result) => this.#answered(result));
  }

  #answered(result: RequestResult): void {
    const waiting = this.#phase.name === "requesting";
    if (!waiting && this.#phase.name !== "configuring") return;
    if ("response" in result) {
      const { code, maxAge, payload } = result.response;
      if (code === Code.changed) {
        if (waiting) this.#configure(this.#options.tree, false);
      } else if (code === Code.serviceUnavailable) {
        this.#end({ cause: "busy", detail: answerText(code, payload), maxAge: maxAge ?? DEFAULT_MAX_AGE });
      } else this.#end({ cause: "refused", detail: answerText(code, payload) });
    } else if (waiting) {
      // Once the server configures the device, a lost answer to its request no longer matters.
      this.#end(result.failure === "timeout" ? { cause: "no-answer" } : { cause: "refused", detail: result.failure });
    }
  }

  #configure(tree: ObjectTree, refused: boolean): void {
    this.#phase = { name: "configuring", until: this.#now + this.#options.limits.finish, tree, refused };
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
    const tree = phase.name === "configuring" ? phase.tree : this.#options.tree;
    const done = performOperation(tree, request);
    request.respond(done.response, this.#now);
    if (done.finished) {
      this.#linger();
      this.#cancelRequest(this.#now);
      this.#effects.configured(done.tree);
    } else this.#configure(done.tree, done.response.code === Code.notAcceptable && request.method === "POST");
  }

  #linger(): void {
    this.#phase = { name: "lingering", until: this.#now + this.#options.limits.linger };
  }

  #checkLimits(now: Instant): void {
    const phase = this.#phase;
    if ("until" in phase && phase.until <= now) {
      if (phase.name === "lingering") this.#end(undefined);
      else this.#end(phase.name === "requesting" ? { cause: "no-answer" } : unfinished(phase.refused));
      return;
    }
    const silentUntil = this.#silentUntil();
    if (silentUntil === undefined || silentUntil > now) return;
    if (phase.name === "securing") this.#end({ cause: "handshake-timeout" });
    else if (phase.name === "requesting") this.#end({ cause: "no-answer" });
    else if (phase.name === "configuring") this.#end(unfinished(phase.refused));
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
    else if (phase.name === "configuring" && phase.refused) this.#end(unfinished(true));
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

function unfinished(refused: boolean): Failure {
  return { cause: refused ? "inconsistent" : "no-finish" };
}

/** Code and diagnostic payload of an answer; what comes from outside is cut short and stripped of control characters. */
function answerText(code: string, payload: Uint8Array): string {
  const text = Buffer.from(payload.subarray(0, 200))
    .toString("utf8")
    .replaceAll(/[^\p{L}\p{N}\p{P}\p{S} ]/gu, "");
  return text === "" ? code : `${code} ${text.slice(0, 100)}`;
}
