import { CoapEndpoint, Code, type IncomingRequest } from "../coap/index.ts";
import { utf8 } from "../lib/bytes.ts";
import type { Clock, Instant, Milliseconds } from "../lib/clock.ts";
import { errorText } from "../lib/errors.ts";
import { type Random, seededRandom } from "../lib/random.ts";
import { authorise, find } from "./authorise.ts";
import { type DeviceRequest, readRequest } from "./bootstrap-request.ts";
import type { Caller } from "./caller.ts";
import type { DeviceLog } from "./device-log.ts";
import type { DeviceDirectory } from "./directory.ts";
import { HandOvers } from "./hand-overs.ts";
import type { LookupOutcome, Lookups } from "./lookups.ts";
import { isPathPrefix } from "./name-check.ts";
import type { Report } from "./notification-queue.ts";
import { openingOf } from "./opening.ts";
import { isRefusal, type Refusal, refuse } from "./refusal.ts";
import type { SecurityStore } from "./security-store.ts";
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
  /** Where fresh keys go, by the names profiles give them. */
  readonly securityStores?: ReadonlyMap<string, SecurityStore>;
  /** How long a session may take; 60 s if not given. */
  readonly sessionDeadline?: Milliseconds;
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
/** Packs on their way block by block: one for each session there can be. */
const MAX_BODIES = 20_000;

/**
 * The bootstrap interface (LwM2M Core 1.1, section 6.1) towards the devices: CoAP datagrams and the time in, CoAP
 * datagrams, reports and look-ups out. Knows nothing of sockets and DTLS; `BootstrapInstance` brings those.
 */
export class BootstrapService {
  readonly #options: ServiceOptions;
  readonly #coap: CoapEndpoint<Caller>;
  readonly #handOvers: HandOvers;
  readonly #sessions: Sessions;

  constructor(options: ServiceOptions) {
    this.#options = options;
    // The jitter of retransmissions keeps no secret, and the system's generator costs more than the rest of a request.
    const jitter = seededRandom(Buffer.from(options.random.bytes(4)).readUInt32BE(0));
    const random = { bytes: (length: number) => options.random.bytes(length), uniform: () => jitter.uniform() };
    this.#coap = new CoapEndpoint(
      { random, ackTimeout: ACK_TIMEOUT, maxRetransmit: MAX_RETRANSMIT, maxBodies: MAX_BODIES },
      {
        send: (caller, datagram) => caller.send(datagram),
        request: (request, now) => this.#guard(request, now, () => this.#route(request, now)),
      },
    );
    const { time, log } = options;
    this.#handOvers = new HandOvers({ stores: options.securityStores ?? new Map(), random: options.random, time, log });
    this.#sessions = new Sessions({
      coap: this.#coap,
      handOvers: this.#handOvers,
      report: options.report,
      log: options.log,
      clock: options.clock,
      time,
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

  /** Sessions in progress on NoSec listeners. */
  get unsecured(): number {
    return this.#sessions.unsecured;
  }

  /** Whether the device has a session in progress. */
  isServing(endpoint: string): boolean {
    return this.#sessions.has(endpoint);
  }

  /** Takes in a datagram. Never throws, whatever it holds. */
  receive(caller: Caller, datagram: Uint8Array, now: Instant): void {
    this.#coap.receive(caller, datagram, now);
  }

  /** Endpoints whose security stores are at work: a stop waits for them, as it may be that a key is to be taken back. */
  get handOvers(): number {
    return this.#handOvers.size;
  }

  /**
   * The caller's association has ended.
   * @param replaced by a new handshake of the same address and port
   */
  lost(caller: Caller, replaced: boolean, now: Instant): void {
    this.#sessions.lost(caller, replaced, now);
    this.#coap.forget(caller, now);
  }

  /** Ends all sessions: the instance stops. */
  stop(now: Instant): void {
    this.#sessions.stop(now);
  }

  nextDeadline(): Instant | undefined {
    const coap = this.#coap.nextDeadline() ?? Number.POSITIVE_INFINITY;
    const next = Math.min(coap, this.#sessions.nextDeadline(), this.#handOvers.nextDeadline());
    return next === Number.POSITIVE_INFINITY ? undefined : next;
  }

  tick(now: Instant): void {
    this.#coap.tick(now);
    this.#handOvers.tick(now);
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
    const { directory, lookups, time } = this.#options;
    const resource = isPathPrefix(directory.fleet, request.path.slice(0, -1)) ? request.path.at(-1) : undefined;
    const wanted = readRequest(request, resource);
    if (isRefusal(wanted)) {
      this.#refuse(request, wanted, now);
      return;
    }
    const found = find(request.peer, wanted.endpoint, lookups);
    if (!(found instanceof Promise)) {
      this.#decide(request, wanted, found, now);
      return;
    }
    void found.then((outcome) => {
      const later = time.now();
      this.#guard(request, later, () => this.#decide(request, wanted, outcome, later));
    });
  }

  #decide(request: IncomingRequest<Caller>, wanted: DeviceRequest, found: LookupOutcome | Refusal, now: Instant): void {
    // While the balancer was asked, the association may have ended, and the device begun anew on another.
    if (!request.open) return;
    const { directory, clock } = this.#options;
    const authorised =
      typeof found === "object" && isRefusal(found)
        ? found
        : authorise(request, wanted.endpoint, found, directory.fleet, clock.now());
    if (isRefusal(authorised)) {
      this.#refuse(request, authorised, now, wanted.endpoint);
      return;
    }
    const { device, counter } = authorised;
    const allowed = this.#sessions.mayReplace(request.peer, device.endpoint);
    const profile = directory.profile(device.profile);
    const opening = allowed ? openingOf(request, wanted, device, profile) : NOT_YOURS;
    if (isRefusal(opening)) {
      if (opening.profileAtFault === true) this.#sessions.refuseProfile(authorised, opening.why);
      this.#refuse(request, opening, now, device.endpoint);
    } else this.#sessions.begin({ ...opening, counter }, now);
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
const NOT_YOURS: Refusal = refuse("Unauthorized", "another address has a session for the endpoint");
