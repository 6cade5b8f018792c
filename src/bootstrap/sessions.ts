import type { CancelRequest, CoapEndpoint, OnDelivery } from "../coap/index.ts";
import type { FailureCause, Notification } from "../control/index.ts";
import type { Clock, Instant, Milliseconds } from "../lib/clock.ts";
import { errorText } from "../lib/errors.ts";
import type { FreshKeys, FreshKeyWanted } from "../lwm2m/index.ts";
import type { Authorised } from "./authorise.ts";
import type { Caller } from "./caller.ts";
import type { DeviceLog } from "./device-log.ts";
import { type HandOver, type HandOvers, NO_KEYS } from "./hand-overs.ts";
import { Lingering } from "./lingering.ts";
import type { Report } from "./notification-queue.ts";
import { formatOf, nextState, SESSION_BEGIN, type SessionInput, type SessionState, type SessionWork, stepOf } from "./session.ts";
import { inputOf, requestOf } from "./step-request.ts";
import { WaitQueue } from "./wait-queue.ts";

/** Options of {@link Sessions}. */
export interface SessionsOptions {
  readonly coap: CoapEndpoint<Caller>;
  readonly handOvers: HandOvers;
  /** Takes what is to be told to the balancer. */
  report(report: Report): void;
  /** A session is over, and its device can be forgotten if it completed. */
  ended(endpoint: string, completed: boolean): void;
  readonly log: DeviceLog;
  /** The time of day, for reports. */
  readonly clock: Clock;
  readonly time: Clock;
  /** Names this start of the instance; session ids begin with it. */
  readonly boot: string;
  /** How long a session may take. */
  readonly deadline: Milliseconds;
}

/** A request of a device that is granted. */
export interface Opening extends Authorised {
  readonly caller: Caller;
  readonly work: SessionWork;
  /** Keys that have to be handed over before the device is answered. */
  readonly freshKeys: readonly FreshKeyWanted[];
  /**
   * Answers the device.
   * @param onDelivery is told what becomes of a Bootstrap-Pack
   * @returns false if it cannot be answered any more
   */
  accept(keys: FreshKeys, now: Instant, onDelivery: OnDelivery): boolean;
  /** Answers the device that it has to come again: the session has failed before {@link accept}. */
  decline(cause: FailureCause, now: Instant): void;
}

/**
 * How long a request to the device may take, with all repetitions; Finish may take as long as the session. Half a
 * session: a modem that goes offline to store a credential is away for seconds; some clients are gone for good after 20 s
 * in which they have not heard anything, and none is known that answers later than that and still goes on.
 */
const REQUEST_DEADLINE: Milliseconds = 30_000;
/** How long a device has, once it has its Bootstrap-Pack, to find it inconsistent and come with a Bootstrap-Request. */
const SETTLE: Milliseconds = 5000;
/** The control API's limit for a report's detail. */
const MAX_DETAIL = 300;

interface Session {
  /** Its id. */
  readonly key: string;
  readonly opening: Opening;
  readonly begunAt: Instant;
  readonly deadline: Instant;
  state: SessionState;
  handOver: HandOver | undefined;
  cancel: CancelRequest | undefined;
  /** When the request under way, with its repetitions, has had all the time it may have. */
  requestUntil: Instant;
}

/** The bootstrap sessions of an instance: one per endpoint, one request each under way. */
export class Sessions {
  readonly #options: SessionsOptions;
  /** By endpoint, the oldest first: they all have the same time. */
  readonly #sessions: Map<string, Session> = new Map();
  readonly #ofCaller: Map<string, Session> = new Map();
  readonly #settling: WaitQueue<Session> = new WaitQueue();
  readonly #lingering: Lingering = new Lingering((caller) => !this.#ofCaller.has(caller.key));
  #unsecured = 0;
  #begun = 0;
  #completed = 0;
  #failed = 0;

  constructor(options: SessionsOptions) {
    this.#options = options;
  }

  /** Sessions in progress, and how many ended since the start. */
  get counts(): { readonly sessions: number; readonly completed: number; readonly failed: number } {
    return { sessions: this.#sessions.size, completed: this.#completed, failed: this.#failed };
  }

  /** Those in progress on NoSec listeners. */
  get unsecured(): number {
    return this.#unsecured;
  }

  has(endpoint: string): boolean {
    return this.#sessions.has(endpoint);
  }

  /**
   * Whether a request of `caller` may take the place of the session the device has. One that DTLS has authenticated
   * may; one on a NoSec listener only if that session is NoSec too and of the same address, as else anybody who knows
   * an endpoint name could cancel its bootstrap.
   */
  mayReplace(caller: Caller, endpoint: string): boolean {
    const running = this.#sessions.get(endpoint)?.opening.caller;
    if (running === undefined || caller.proven !== undefined) return true;
    return running.proven === undefined && running.address === caller.address;
  }

  /** Begins a session, in the place of one the device or the caller may have. */
  begin(opening: Opening, now: Instant): void {
    const { caller, device, freshKeys } = opening;
    for (const before of [this.#sessions.get(device.endpoint), this.#ofCaller.get(caller.key)]) {
      if (before !== undefined) this.#advance(before, { type: "replaced" }, now);
    }
    const session: Session = {
      key: this.#nextId(),
      opening,
      begunAt: now,
      deadline: now + this.#options.deadline,
      state: SESSION_BEGIN,
      handOver: undefined,
      cancel: undefined,
      requestUntil: now,
    };
    this.#sessions.set(device.endpoint, session);
    this.#ofCaller.set(caller.key, session);
    if (caller.proven === undefined) this.#unsecured++;
    this.#report(session.key, opening, { kind: "commenced" });
    this.#options.log.debug({ endpoint: device.endpoint, session: session.key }, "bootstrap commenced");
    if (freshKeys.length === 0) {
      this.#accept(session, NO_KEYS, now);
      return;
    }
    session.handOver = this.#options.handOvers.begin(device, freshKeys, (outcome) => {
      const later = this.#options.time.now();
      if ("keys" in outcome) this.#accept(session, outcome.keys, later);
      else this.#advance(session, { type: "impossible", cause: "hand-over-failed", detail: outcome.failed }, later);
    });
  }

  /** A device gets no session as its profile does not fit it: the balancer is told. */
  refuseProfile(refused: Authorised, detail: string): void {
    const id = this.#nextId();
    this.#failed++;
    this.#report(id, refused, { kind: "commenced" });
    this.#report(id, refused, { kind: "failed", cause: "no-profile", detail });
  }

  /**
   * The caller's association has ended.
   * @param replaced by a new handshake of the same address and port
   */
  lost(caller: Caller, replaced: boolean, now: Instant): void {
    this.#lingering.forget(caller);
    const session = this.#ofCaller.get(caller.key);
    if (session === undefined) return;
    // A device that shakes hands anew after a Pack may well want to ask again: until it had the time to, it counts as there.
    if (replaced && session.state.name === "settling") return;
    this.#advance(session, { type: "connection-lost" }, now);
  }

  /** Ends all sessions, and closes the associations that linger: the instance stops. */
  stop(now: Instant): void {
    for (const session of this.#sessions.values()) this.#advance(session, { type: "connection-lost" }, now);
    this.#lingering.close(Number.POSITIVE_INFINITY, now);
  }

  nextDeadline(): Instant {
    const session = this.#sessions.values().next().value;
    const next = Math.min(session?.deadline ?? Number.POSITIVE_INFINITY, this.#settling.nextUntil);
    return Math.min(next, this.#lingering.nextUntil);
  }

  tick(now: Instant): void {
    for (const session of this.#sessions.values()) {
      if (session.deadline > now) break;
      this.#advance(session, { type: "deadline" }, now);
    }
    for (let session = this.#settling.take(now); session !== undefined; session = this.#settling.take(now)) {
      this.#advance(session, { type: "settled" }, now);
    }
    this.#lingering.close(now, now);
  }

  #nextId(): string {
    return `${this.#options.boot}-${++this.#begun}`;
  }

  /** Answers the device. */
  #accept(session: Session, keys: FreshKeys, now: Instant): void {
    let input: SessionInput = { type: "accepted" };
    try {
      const onDelivery: OnDelivery = (delivery, at) => this.#advance(session, { type: "pack", delivery }, at);
      if (!session.opening.accept(keys, now, onDelivery)) input = { type: "connection-lost" };
    } catch (error) {
      input = { type: "impossible", cause: "internal", detail: errorText(error) };
    }
    this.#advance(session, input, now);
  }

  #advance(session: Session, input: SessionInput, now: Instant): void {
    const before = session.state;
    const after = nextState(before, input, session.opening.work);
    if (after === before) return;
    session.state = after;
    if (after.name === "requesting") {
      if (after.attempt === 1) session.requestUntil = now + REQUEST_DEADLINE;
      this.#send(session, now);
    } else if (after.name === "settling") this.#settling.add(session, now + SETTLE);
    else if (after.name === "completed" || after.name === "failed") this.#end(session, before, now);
  }

  #send(session: Session, now: Instant): void {
    const { state, opening, requestUntil } = session;
    if (state.name !== "requesting") return;
    try {
      const step = stepOf(state);
      const request = requestOf(step, formatOf(state, opening.work), requestUntil - now);
      session.cancel = this.#options.coap.request(opening.caller, request, now, (result, at) => {
        this.#advance(session, inputOf(step, result, at >= requestUntil), at);
      });
    } catch (error) {
      this.#advance(session, { type: "impossible", cause: "internal", detail: errorText(error) }, now);
    }
  }

  #end(session: Session, before: SessionState, now: Instant): void {
    const { opening, state } = session;
    const { device, caller } = opening;
    if (this.#sessions.get(device.endpoint) === session) this.#sessions.delete(device.endpoint);
    if (this.#ofCaller.get(caller.key) === session) this.#ofCaller.delete(caller.key);
    if (caller.proven === undefined) this.#unsecured--;
    session.cancel?.(now);
    const duration = Math.round(now - session.begunAt);
    const fields = { endpoint: device.endpoint, session: session.key };
    if (state.name === "failed") {
      this.#failed++;
      session.handOver?.undo();
      if (before.name === "preparing") opening.decline(state.cause, now);
      this.#report(session.key, opening, { kind: "failed", duration, cause: state.cause, detail: state.detail });
      const who = this.#options.log.who(caller);
      this.#options.log.info({ ...who, ...fields, cause: state.cause, detail: state.detail }, "bootstrap failed");
    } else {
      this.#completed++;
      this.#report(session.key, opening, { kind: "completed", duration });
      this.#options.log.debug(fields, "bootstrap completed");
    }
    this.#options.ended(device.endpoint, state.name === "completed");
    // After a Pack the device had its time already; and a connection that is lost needs none.
    if (before.name === "settling" && state.name === "completed") caller.close(now);
    else if (state.name !== "failed" || state.cause !== "connection-lost") this.#lingering.add(caller, now);
  }

  #report(
    session: string,
    { device, counter }: Authorised,
    what: Pick<Notification, "kind" | "duration" | "cause" | "detail">,
  ): void {
    const { duration, cause, detail } = what;
    this.#options.report({
      kind: what.kind,
      endpoint: device.endpoint,
      session,
      at: this.#options.clock.now(),
      ...(counter === undefined || what.kind === "failed" ? {} : { counter }),
      ...(duration === undefined ? {} : { duration }),
      ...(cause === undefined ? {} : { cause }),
      ...(detail === undefined ? {} : { detail: detail.slice(0, MAX_DETAIL) }),
    });
  }
}
