import { CoapEndpoint, Code, type IncomingRequest } from "../coap/index.ts";
import { utf8 } from "../lib/bytes.ts";
import type { Clock, Instant, Milliseconds } from "../lib/clock.ts";
import { errorText } from "../lib/errors.ts";
import { type Random, seededRandom } from "../lib/random.ts";
import type { BootstrapStep } from "../lwm2m/index.ts";
import { authorise, type BootstrapRequest, isRefusal, type Refusal, readBootstrapRequest } from "./bootstrap-request.ts";
import type { Caller } from "./caller.ts";
import type { Device } from "./device.ts";
import type { DeviceLog } from "./device-log.ts";
import type { DeviceDirectory } from "./directory.ts";
import type { LookupOutcome, Lookups } from "./lookups.ts";
import { isPathPrefix } from "./name-check.ts";
import type { Report } from "./notification-queue.ts";
import { Sessions } from "./sessions.ts";

/** Options of {@link BootstrapService}. */
export interface ServiceOptions {
  readonly directory: DeviceDirectory;
  readonly lookups: Lookups;
  /** Takes what is to be told to the balancer. */
  report(report: Report): void;
  readonly log: DeviceLog;
  /** The time of day, by which names are checked. */
  readonly clock: Clock;
  /** The time that runs the protocol: never goes back. The `now` of all calls is of this clock. */
  readonly time: Clock;
  readonly random: Random;
  /** Names this start of the instance; session ids begin with it. */
  readonly boot: string;
  /** How long a session may take; 60 s if not given. */
  readonly sessionDeadline?: Milliseconds;
  /** ACK_TIMEOUT of the requests to devices; 1 s if not given. */
  readonly ackTimeout?: Milliseconds;
}

/** A session should be over in 20 s and must be in 93 s, when the first clients give up waiting for Finish. */
const SESSION_DEADLINE: Milliseconds = 60_000;
/**
 * RFC 7252 section 4.8.1 leaves ACK_TIMEOUT to the application, down to the 1 s of RFC 8085. At 1 s and three
 * retransmissions a request is given up after 15 to 22 s (section 4.8.2), so that a second one under a new message id,
 * which clients need that ignore retransmissions, fits into the session's deadline: eight datagrams in all, each
 * exchange of which is lost with 36 % where a network loses every fifth datagram; all eight are, once in 3,500 times.
 */
const ACK_TIMEOUT: Milliseconds = 1000;
const MAX_RETRANSMIT = 3;

/**
 * The bootstrap interface (LwM2M Core 1.1, section 6.1) towards the devices: CoAP datagrams and the time in, CoAP
 * datagrams, reports and look-ups out. Knows nothing of sockets and DTLS; `BootstrapInstance` brings those.
 */
export class BootstrapService {
  readonly #options: ServiceOptions;
  readonly #coap: CoapEndpoint<Caller>;
  readonly #sessions: Sessions;

  constructor(options: ServiceOptions) {
    this.#options = options;
    // The jitter of retransmissions keeps no secret, and the system's generator costs more than the rest of a request.
    const jitter = seededRandom(Buffer.from(options.random.bytes(4)).readUInt32BE(0));
    const random = { bytes: (length: number) => options.random.bytes(length), uniform: () => jitter.uniform() };
    this.#coap = new CoapEndpoint(
      { random, ackTimeout: options.ackTimeout ?? ACK_TIMEOUT, maxRetransmit: MAX_RETRANSMIT },
      {
        send: (caller, datagram) => caller.send(datagram),
        request: (request, now) => this.#guard(request, now, () => this.#route(request, now)),
      },
    );
    this.#sessions = new Sessions({
      coap: this.#coap,
      report: options.report,
      log: options.log,
      clock: options.clock,
      boot: options.boot,
      deadline: options.sessionDeadline ?? SESSION_DEADLINE,
      ended: (endpoint, completed) => {
        if (completed) options.directory.drop(endpoint);
        else options.directory.dropIfStale(endpoint);
      },
    });
  }

  /** Sessions in progress, and how many completed and failed since the start. */
  get counts(): { readonly sessions: number; readonly completed: number; readonly failed: number } {
    return this.#sessions.counts;
  }

  /** Whether the device has a session in progress. */
  isServing(endpoint: string): boolean {
    return this.#sessions.has(endpoint);
  }

  /** Takes in a datagram. Never throws, whatever it holds. */
  receive(caller: Caller, datagram: Uint8Array, now: Instant): void {
    this.#coap.receive(caller, datagram, now);
  }

  /** The caller's association has ended. */
  lost(caller: Caller, now: Instant): void {
    this.#sessions.lost(caller, now);
    this.#coap.forget(caller, now);
  }

  /** Ends all sessions: the instance stops. */
  stop(now: Instant): void {
    this.#sessions.stop(now);
  }

  nextDeadline(): Instant | undefined {
    const next = Math.min(this.#coap.nextDeadline() ?? Number.POSITIVE_INFINITY, this.#sessions.nextDeadline());
    return next === Number.POSITIVE_INFINITY ? undefined : next;
  }

  tick(now: Instant): void {
    this.#coap.tick(now);
    this.#sessions.tick(now);
  }

  /** No request may bring the instance down: a fault of ours is logged and answered 5.00. */
  #guard(request: IncomingRequest<Caller>, now: Instant, work: () => void): void {
    try {
      work();
    } catch (error) {
      const { log } = this.#options;
      log.error({ ...log.who(request.peer), error: errorText(error) }, "a request failed by a fault of ours");
      request.respond({ code: Code.internalServerError }, now);
    }
  }

  #route(request: IncomingRequest<Caller>, now: Instant): void {
    const { fleet } = this.#options.directory;
    const resource = isPathPrefix(fleet, request.path.slice(0, -1)) ? request.path.at(-1) : undefined;
    if (resource === "bs" && request.method === "POST") this.#bootstrap(request, now);
    else this.#refuse(request, wrongRequest(resource, request.method), now);
  }

  #bootstrap(request: IncomingRequest<Caller>, now: Instant): void {
    const wanted = readBootstrapRequest(request);
    if (isRefusal(wanted)) {
      this.#refuse(request, wanted, now);
      return;
    }
    const { lookups, time } = this.#options;
    const { identity } = request.peer;
    const found = identity === undefined ? lookups.byEndpoint(wanted.endpoint ?? "") : lookups.byIdentity(identity);
    if (!(found instanceof Promise)) {
      this.#decide(request, wanted, found, now);
      return;
    }
    void found.then((outcome) => {
      const later = time.now();
      this.#guard(request, later, () => this.#decide(request, wanted, outcome, later));
    });
  }

  #decide(request: IncomingRequest<Caller>, wanted: BootstrapRequest, found: LookupOutcome, now: Instant): void {
    const { directory, clock } = this.#options;
    const device = authorise(request, wanted, found, directory.fleet, clock.now());
    if (isRefusal(device)) {
      this.#refuse(request, device, now, wanted.endpoint);
      return;
    }
    const plan = this.#sessions.mayReplace(request.peer, device.endpoint) ? this.#stepsFor(device, wanted.format) : NOT_YOURS;
    if (isRefusal(plan)) {
      if (plan !== NOT_YOURS) this.#sessions.refuseProfile(device, plan.why);
      this.#refuse(request, plan, now, device.endpoint);
      return;
    }
    // First the answer, then the requests: a client that has no answer yet may not take them.
    if (request.respond({ code: Code.changed }, now)) this.#sessions.begin(request.peer, device, plan, now);
  }

  #stepsFor(device: Device, format: number | undefined): readonly BootstrapStep[] | Refusal {
    const words = "no bootstrap config";
    const profile = this.#options.directory.profile(device.profile);
    if (profile === undefined) return { code: Code.badRequest, words, why: `profile ${device.profile} is not known` };
    try {
      return profile.steps(device, format);
    } catch (error) {
      return { code: Code.badRequest, words, why: `profile ${device.profile} does not fit: ${errorText(error)}` };
    }
  }

  #refuse(request: IncomingRequest<Caller>, { code, words, maxAge, why }: Refusal, now: Instant, endpoint?: string): void {
    const { log } = this.#options;
    const fields = { ...log.who(request.peer), ...(endpoint === undefined ? {} : { endpoint }), answer: code, reason: why };
    log.info(fields, "request refused");
    request.respond(
      { code, ...(maxAge === undefined ? {} : { maxAge }), ...(words === undefined ? {} : { payload: utf8(words) }) },
      now,
    );
  }
}

/** On a NoSec listener, where anybody may say to be the device. */
const NOT_YOURS: Refusal = {
  code: Code.badRequest,
  words: "Unauthorized",
  why: "another address has a session for the endpoint",
};

/** What is wrong with a request that is no Bootstrap-Request. */
function wrongRequest(resource: string | undefined, method: string): Refusal {
  if (resource === "bspack" && method === "GET") {
    // LwM2M Core 1.2.1: a server without Bootstrap-Pack says so, and the client goes on with a Bootstrap-Request.
    return { code: Code.notImplemented, words: "Bootstrap-Pack is not implemented", why: "Bootstrap-Pack is not implemented" };
  }
  if (resource === "bs") return { code: Code.methodNotAllowed, why: `${method} is not allowed on /bs` };
  if (resource === "bspack") return { code: Code.methodNotAllowed, why: `${method} is not allowed on /bspack` };
  return { code: Code.notFound, why: "there is no such path" };
}
