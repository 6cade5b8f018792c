import type { CancelRequest, CoapEndpoint, CoapRequest, RequestResult } from "../coap/index.ts";
import type { Notification } from "../control/index.ts";
import type { Clock, Instant, Milliseconds } from "../lib/clock.ts";
import { BerthError, errorText } from "../lib/errors.ts";
import { type BootstrapStep, ContentFormat, decodeContent, encodeContent, parsePath, uriPath } from "../lwm2m/index.ts";
import type { Caller } from "./caller.ts";
import type { Device } from "./device.ts";
import type { DeviceLog } from "./device-log.ts";
import { LingerQueue } from "./linger-queue.ts";
import type { Report } from "./notification-queue.ts";
import { nextState, SESSION_BEGIN, type SessionInput, type SessionState } from "./session.ts";

/** Options of {@link Sessions}. */
export interface SessionsOptions {
  readonly coap: CoapEndpoint<Caller>;
  /** Takes what is to be told to the balancer. */
  report(report: Report): void;
  /** A session is over, and its device can be forgotten if it completed. */
  ended(endpoint: string, completed: boolean): void;
  readonly log: DeviceLog;
  /** The time of day, for reports. */
  readonly clock: Clock;
  /** Names this start of the instance; session ids begin with it. */
  readonly boot: string;
  /** How long a session may take. */
  readonly deadline: Milliseconds;
}

/**
 * How long an association outlives its session. Where the 2.04 was lost, the device sends its Bootstrap-Request again
 * within ACK_TIMEOUT x ACK_RANDOM_FACTOR = 3 s of RFC 7252, and is answered still.
 */
const LINGER: Milliseconds = 5000;
/**
 * How many may; in a storm the oldest are closed earlier, as nearly all of them linger for nothing. OpenSSL keeps some
 * 45 kB for each, and memory that is not used again soon is out of the processor's caches: 2,000 made a bootstrap cost 40 % more.
 */
const MAX_LINGERING = 64;
/** The control API's limit for a report's detail. */
const MAX_DETAIL = 300;

interface Session {
  readonly id: string;
  readonly device: Device;
  readonly caller: Caller;
  readonly steps: readonly BootstrapStep[];
  readonly deadline: Instant;
  state: SessionState;
  cancel: CancelRequest | undefined;
}

/** The bootstrap sessions of an instance: one per endpoint, one request each under way. */
export class Sessions {
  readonly #options: SessionsOptions;
  /** By endpoint, the oldest first: they all have the same time. */
  readonly #sessions: Map<string, Session> = new Map();
  readonly #ofCaller: Map<string, Session> = new Map();
  readonly #lingering: LingerQueue = new LingerQueue();
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

  has(endpoint: string): boolean {
    return this.#sessions.has(endpoint);
  }

  /**
   * Whether a request of `caller` may take the place of the session the device has. One that DTLS has authenticated
   * may; one on a NoSec listener only if that session is NoSec too and of the same address, as else anybody who knows
   * an endpoint name could cancel its bootstrap.
   */
  mayReplace(caller: Caller, endpoint: string): boolean {
    const running = this.#sessions.get(endpoint)?.caller;
    if (running === undefined || caller.identity !== undefined) return true;
    return running.identity === undefined && running.address === caller.address;
  }

  /** Begins a session, in the place of one the device or the caller may have, and sends its first request. */
  begin(caller: Caller, device: Device, steps: readonly BootstrapStep[], now: Instant): void {
    for (const before of [this.#sessions.get(device.endpoint), this.#ofCaller.get(caller.key)]) {
      if (before !== undefined) this.#advance(before, { type: "replaced" }, now);
    }
    const session: Session = {
      id: this.#nextId(),
      device,
      caller,
      steps,
      deadline: now + this.#options.deadline,
      state: SESSION_BEGIN,
      cancel: undefined,
    };
    this.#sessions.set(device.endpoint, session);
    this.#ofCaller.set(caller.key, session);
    this.#report(session, { kind: "commenced" });
    this.#options.log.debug({ endpoint: device.endpoint, session: session.id }, "bootstrap commenced");
    this.#send(session, now);
  }

  /** A device gets no session as its profile does not fit it: the balancer is told. */
  refuseProfile(device: Device, detail: string): void {
    const session = { id: this.#nextId(), device };
    this.#failed++;
    this.#report(session, { kind: "commenced" });
    this.#report(session, { kind: "failed", cause: "no-profile", detail });
  }

  /** The caller's association has ended. */
  lost(caller: Caller, now: Instant): void {
    this.#lingering.forget(caller);
    const session = this.#ofCaller.get(caller.key);
    if (session !== undefined) this.#advance(session, { type: "connection-lost" }, now);
  }

  /** Ends all sessions, and closes the associations that linger: the instance stops. */
  stop(now: Instant): void {
    for (const session of this.#sessions.values()) this.#advance(session, { type: "connection-lost" }, now);
    this.#closeLingering(Number.POSITIVE_INFINITY, now);
  }

  nextDeadline(): Instant {
    const session = this.#sessions.values().next().value;
    return Math.min(session?.deadline ?? Number.POSITIVE_INFINITY, this.#lingering.nextUntil);
  }

  tick(now: Instant): void {
    for (const session of this.#sessions.values()) {
      if (session.deadline > now) break;
      this.#advance(session, { type: "deadline" }, now);
    }
    this.#closeLingering(now, now);
  }

  #nextId(): string {
    return `${this.#options.boot}-${++this.#begun}`;
  }

  #advance(session: Session, input: SessionInput, now: Instant): void {
    if (session.state.name !== "requesting") return;
    const step = session.steps[session.state.step];
    const rewritable = step?.kind === "write" && step.contentFormat !== ContentFormat.tlv;
    session.state = nextState(session.state, input, session.steps, rewritable);
    if (session.state.name === "requesting") this.#send(session, now);
    else this.#end(session, now);
  }

  #send(session: Session, now: Instant): void {
    if (session.state.name !== "requesting") return;
    const step = session.steps[session.state.step];
    try {
      if (step === undefined) throw new BerthError("internal", "a session without steps");
      const request = requestOf(session.state.format === "tlv" ? inTlv(step) : step);
      session.cancel = this.#options.coap.request(session.caller, request, now, (result, at) =>
        this.#advance(session, inputOf(result), at),
      );
    } catch (error) {
      session.state = { name: "failed", cause: "internal", detail: errorText(error) };
      this.#end(session, now);
    }
  }

  #end(session: Session, now: Instant): void {
    const { device, caller, state } = session;
    if (this.#sessions.get(device.endpoint) === session) this.#sessions.delete(device.endpoint);
    if (this.#ofCaller.get(caller.key) === session) this.#ofCaller.delete(caller.key);
    session.cancel?.(now);
    const fields = { endpoint: device.endpoint, session: session.id };
    if (state.name === "failed") {
      this.#failed++;
      this.#report(session, { kind: "failed", cause: state.cause, detail: state.detail });
      const who = this.#options.log.who(caller);
      this.#options.log.info({ ...who, ...fields, cause: state.cause, detail: state.detail }, "bootstrap failed");
    } else {
      this.#completed++;
      this.#report(session, { kind: "completed" });
      this.#options.log.debug(fields, "bootstrap completed");
    }
    this.#options.ended(device.endpoint, state.name === "completed");
    if (state.name === "failed" && state.cause === "connection-lost") return;
    this.#lingering.add(caller, now + LINGER);
    if (this.#lingering.size > MAX_LINGERING) this.#closeLingering(this.#lingering.nextUntil, now, 1);
  }

  #report(session: Pick<Session, "id" | "device">, what: Pick<Notification, "kind" | "cause" | "detail">): void {
    const { cause, detail } = what;
    this.#options.report({
      kind: what.kind,
      endpoint: session.device.endpoint,
      session: session.id,
      at: this.#options.clock.now(),
      ...(cause === undefined ? {} : { cause }),
      ...(detail === undefined ? {} : { detail: detail.slice(0, MAX_DETAIL) }),
    });
  }

  /** Closes up to `most` of the associations that were to linger until then. */
  #closeLingering(until: Instant, now: Instant, most: number = Number.POSITIVE_INFINITY): void {
    for (let closed = 0; closed < most; closed++) {
      const caller = this.#lingering.take(until);
      if (caller === undefined) return;
      // A device may have begun anew on the association it has.
      if (!this.#ofCaller.has(caller.key)) caller.close(now);
    }
  }
}

function inputOf(result: RequestResult): SessionInput {
  if ("response" in result) return { type: "answered", code: result.response.code };
  return { type: "unanswered", failure: result.failure };
}

const FINISH: CoapRequest = { method: "POST", path: ["bs"] };

/** The CoAP request of a step (LwM2M Transport Binding 1.1, section 6.4.2). */
function requestOf(step: BootstrapStep): CoapRequest {
  switch (step.kind) {
    case "delete":
      return { method: "DELETE", path: uriPath(step.path) };
    case "write":
      return { method: "PUT", path: uriPath(step.path), contentFormat: step.contentFormat, payload: step.payload };
    case "finish":
      return FINISH;
  }
}

/** The same Write in TLV, the format every client since LwM2M 1.0 reads. */
function inTlv(step: BootstrapStep): BootstrapStep {
  if (step.kind !== "write" || step.contentFormat === ContentFormat.tlv) return step;
  const path = parsePath(step.path);
  const content = decodeContent(step.contentFormat, path, step.payload);
  return { ...step, contentFormat: ContentFormat.tlv, payload: encodeContent(ContentFormat.tlv, path, content) };
}
