import { type Delivery, isSuccess, type RequestFailure, type ResponseCode } from "../coap/index.ts";
import type { FailureCause } from "../control/index.ts";
import { BerthError, errorText } from "../lib/errors.ts";
import type { BootstrapPlan, BootstrapStep, DiscoverAnswer, ObjectInstance } from "../lwm2m/index.ts";

/** What a session is to do, as far as it is known when the device asks. */
export type SessionWork = RequestWork | PackWork;

/** A Bootstrap-Request: the device is sent one request after the other. */
export interface RequestWork {
  readonly kind: "request";
  /** Whether Bootstrap-Discover comes first. */
  readonly discovers: boolean;
  /** The formats of writes, in the order they are to be tried. */
  readonly formats: readonly number[];
  /**
   * What to send, once the answer to Discover is known; undefined where it was not asked for, refused or unreadable.
   * @throws ProfileMismatch
   */
  plan(found: DiscoverAnswer | undefined): BootstrapPlan;
}

/** A Bootstrap-Pack-Request: all is said in its answer. */
export interface PackWork {
  readonly kind: "pack";
}

/** Where a bootstrap session stands. */
export type SessionState =
  /** The device has not been answered: fresh keys are on their way to their security stores. */
  | { readonly name: "preparing" }
  | Requesting
  /** The Bootstrap-Pack is on its way to the device. */
  | { readonly name: "delivering" }
  /** The device has the Pack. Should it find it inconsistent, it comes with a Bootstrap-Request (LwM2M Core 1.2, section 6.1.7.7). */
  | { readonly name: "settling" }
  | { readonly name: "completed" }
  | { readonly name: "failed"; readonly cause: FailureCause; readonly detail: string };

/** Exactly one request is under way: that of `steps[step]`, for the `attempt`-th time. */
export interface Requesting {
  readonly name: "requesting";
  /** `inspecting` and `correcting` follow a Finish that was answered 4.06. */
  readonly phase: "discovering" | "configuring" | "inspecting" | "correcting";
  readonly steps: readonly BootstrapStep[];
  readonly step: number;
  readonly attempt: number;
  /** How many formats of the session's chain the device has refused; it goes on in the next one. */
  readonly refused: number;
  /** How many of the step's own formats it has refused. */
  readonly refusedOfStep: number;
  /** Of the phases behind `discovering`. */
  readonly plan: BootstrapPlan | undefined;
  /** What `inspecting` has found so far. */
  readonly found: DiscoverAnswer | undefined;
}

/** What can happen to a session. */
export type SessionInput =
  /** Fresh keys are where they belong, and the device has been answered. */
  | { readonly type: "accepted" }
  /** The device cannot be served. */
  | { readonly type: "impossible"; readonly cause: FailureCause; readonly detail: string }
  | StepAnswer
  /** `late`: the request has had all the time it may have. */
  | { readonly type: "unanswered"; readonly failure: RequestFailure; readonly late: boolean }
  | { readonly type: "pack"; readonly delivery: Delivery }
  /** The device had the time to find its Pack inconsistent. */
  | { readonly type: "settled" }
  | { readonly type: "deadline" }
  /** A newer request of the same device has taken its place. */
  | { readonly type: "replaced" }
  | { readonly type: "connection-lost" };

/** The device's answer to a request. */
export interface StepAnswer {
  readonly type: "answered";
  readonly code: ResponseCode;
  /** To Discover; absent if it was refused or cannot be read. */
  readonly found?: DiscoverAnswer;
  /** To Read of /1; absent if it was refused or cannot be read. */
  readonly servers?: readonly ObjectInstance[];
}

/** How often a request is sent under a message id of its own before its silence fails the session. */
const ATTEMPTS = 2;

/**
 * Answers to a Delete that only say that there is nothing to delete or that it is protected; which of them a client
 * chooses differs from client to client, and the configuration is none the worse for it.
 */
const NOTHING_TO_DELETE: ReadonlySet<ResponseCode> = new Set<ResponseCode>(["4.00", "4.04", "4.05"]);

/** How clients say that they do not read or write a format. */
const FORMAT_REFUSED: ReadonlySet<ResponseCode> = new Set<ResponseCode>(["4.06", "4.15"]);

/**
 * The same of a Write. 4.00 is what the specification has for data that does not go with its format (LwM2M Transport Binding 1.1,
 * section 6.4.2): Wakaama says it of SenML JSON in which a key in base64url has a "-" or "_", as half of all random keys do,
 * and Anjay of formats it does not know.
 */
const WRITE_REFUSED: ReadonlySet<ResponseCode> = new Set<ResponseCode>([...FORMAT_REFUSED, "4.00"]);

/** How a client says that the configuration it has been given is inconsistent (LwM2M Transport Binding 1.1, section 6.4.2). */
const INCONSISTENT: ResponseCode = "4.06";

const DISCOVER: BootstrapStep = { kind: "discover", path: "/" };
const DISCOVERING: readonly BootstrapStep[] = [DISCOVER];
const INSPECTING: readonly BootstrapStep[] = [DISCOVER, { kind: "read", path: "/1" }];

/** The state a session begins in. */
export const SESSION_BEGIN: SessionState = { name: "preparing" };

/** The state after `input`. When it is `requesting`, and was it before with another request, that of its step is to be sent now. */
export function nextState(state: SessionState, input: SessionInput, work: SessionWork): SessionState {
  if (state.name === "completed" || state.name === "failed") return state;
  switch (input.type) {
    case "accepted":
      if (state.name !== "preparing") return state;
      if (work.kind === "pack") return { name: "delivering" };
      return work.discovers ? begin("discovering", DISCOVERING, undefined) : configure(work, undefined);
    case "impossible":
      return failed(input.cause, input.detail);
    case "pack":
      if (state.name !== "delivering") return state;
      if (input.delivery === "delivered") return { name: "settling" };
      return failed("request-failed", `the Bootstrap-Pack did not arrive: ${FAILURES[input.delivery]}`);
    case "settled":
      return state.name === "settling" ? { name: "completed" } : state;
    case "replaced":
      return failed("cancelled", "a newer request of the device took its place");
    case "connection-lost":
      if (state.name === "settling") return { name: "completed" };
      return failed("connection-lost", "the association with the device ended");
    case "deadline":
      if (state.name === "settling") return { name: "completed" };
      return failed("deadline", `no end by ${state.name === "requesting" ? nameOf(stepOf(state)) : WAITS[state.name]}`);
    case "unanswered":
      return state.name === "requesting" ? afterSilence(state, input.failure, input.late, work) : state;
    case "answered":
      return state.name === "requesting" ? afterAnswer(state, input, work) : state;
  }
}

/** The step under way. */
export function stepOf({ steps, step }: Requesting): BootstrapStep {
  return steps[step] ?? FINISH;
}

/** The format of the step under way, where it has one: the step's own first, then those of the session. */
export function formatOf(state: Requesting, work: SessionWork): number | undefined {
  const step = stepOf(state);
  const own = step.kind === "write" ? step.formats?.[state.refusedOfStep] : undefined;
  return own ?? (work.kind === "request" ? work.formats[state.refused] : undefined);
}

const FINISH: BootstrapStep = { kind: "finish" };

function begin(phase: Requesting["phase"], steps: readonly BootstrapStep[], plan: BootstrapPlan | undefined): Requesting {
  return { name: "requesting", phase, steps, step: 0, attempt: 1, refused: 0, refusedOfStep: 0, plan, found: undefined };
}

/** The plan is made, with what Discover has found. */
function configure(work: SessionWork, found: DiscoverAnswer | undefined): SessionState {
  if (work.kind === "pack") return failed("internal", "a Bootstrap-Pack has no requests");
  try {
    const plan = work.plan(found);
    return begin("configuring", plan.steps, plan);
  } catch (error) {
    const mismatch = error instanceof BerthError && error.code === "profile-mismatch";
    return failed(mismatch ? "no-profile" : "internal", errorText(error));
  }
}

function afterSilence(state: Requesting, failure: RequestFailure, late: boolean, work: SessionWork): SessionState {
  const step = stepOf(state);
  // Finish is what makes all the rest count: it is repeated for as long as the session may last.
  const again = failure === "timeout" && (step.kind === "finish" || (state.attempt < ATTEMPTS && !late));
  if (again) return { ...state, attempt: state.attempt + 1 };
  // A client that throws a question away, or whose answer makes no sense, has refused it in its way.
  if (failure !== "timeout" && step.kind === "discover") return withoutDiscover(state, work);
  if (failure !== "timeout" && step.kind === "read") return correct(state, []);
  return failed(step.kind === "finish" ? "finish-failed" : "request-failed", `${nameOf(step)}: ${FAILURES[failure]}`);
}

function afterAnswer(state: Requesting, answer: StepAnswer, work: SessionWork): SessionState {
  const step = stepOf(state);
  switch (step.kind) {
    case "discover":
      if (answer.found === undefined) return withoutDiscover(state, work);
      return state.phase === "discovering" ? configure(work, answer.found) : next({ ...state, found: answer.found });
    case "read":
      return FORMAT_REFUSED.has(answer.code)
        ? (inNextFormat(state, work) ?? correct(state, []))
        : correct(state, answer.servers ?? []);
    case "delete":
      if (isSuccess(answer.code) || NOTHING_TO_DELETE.has(answer.code)) return next(state);
      return refused(step, answer.code);
    case "write":
      if (isSuccess(answer.code)) return next(state);
      return (WRITE_REFUSED.has(answer.code) ? inNextFormat(state, work) : undefined) ?? refused(step, answer.code);
    case "finish":
      if (isSuccess(answer.code)) return { name: "completed" };
      if (answer.code !== INCONSISTENT) return failed("finish-failed", `the device answered Finish with ${answer.code}`);
      if (state.phase === "correcting") return inconsistent(" again, after what was found had been corrected");
      return { ...state, phase: "inspecting", steps: INSPECTING, step: 0, attempt: 1 };
  }
}

/** The device does not say what it has: good enough to write, not to correct what it complains of. */
function withoutDiscover(state: Requesting, work: SessionWork): SessionState {
  return state.phase === "discovering" ? configure(work, undefined) : inconsistent(", and does not say what it has");
}

function next(state: Requesting): SessionState {
  const step = state.step + 1;
  if (step >= state.steps.length) return failed("internal", "a plan that does not end in Finish");
  return { ...state, step, attempt: 1, refusedOfStep: 0 };
}

/** The same request in the next format there is. A refusal of one of the step's own says nothing of the session's. */
function inNextFormat(state: Requesting, work: SessionWork): SessionState | undefined {
  const step = stepOf(state);
  if (step.kind === "write" && state.refusedOfStep < (step.formats?.length ?? 0)) {
    return { ...state, attempt: 1, refusedOfStep: state.refusedOfStep + 1 };
  }
  if (work.kind === "pack" || state.refused + 1 >= work.formats.length) return undefined;
  return { ...state, attempt: 1, refused: state.refused + 1 };
}

/** What to do about an inconsistent configuration, now that it is known what the device has. */
function correct(state: Requesting, servers: readonly ObjectInstance[]): SessionState {
  const steps = state.found === undefined ? [] : (state.plan?.correct(state.found, servers) ?? []);
  if (steps.length === 0) return inconsistent(", and nothing was found to correct");
  return { ...state, phase: "correcting", steps, step: 0, attempt: 1, refusedOfStep: 0 };
}

function inconsistent(more: string): SessionState {
  return failed("finish-failed", `the device answered Finish with ${INCONSISTENT}${more}`);
}

function refused(step: BootstrapStep, code: ResponseCode): SessionState {
  return failed("request-failed", `the device answered ${nameOf(step)} with ${code}`);
}

function failed(cause: FailureCause, detail: string): SessionState {
  return { name: "failed", cause, detail };
}

const FAILURES: Readonly<Record<RequestFailure | Exclude<Delivery, "delivered">, string>> = {
  timeout: "no answer",
  reset: "the device rejected it with a Reset",
  cancelled: "it was cancelled",
  "too-large": "the answer is too long",
  incomplete: "the blocks of the answer do not fit together",
};

const WAITS = { preparing: "the hand-over of its fresh keys", delivering: "its Bootstrap-Pack" } as const;

/** A step as a person names it: "Write /0/1". */
function nameOf(step: BootstrapStep): string {
  if (step.kind === "finish") return "Finish";
  return `${NAMES[step.kind]} ${step.path}`;
}

const NAMES = { discover: "Discover", read: "Read", delete: "Delete", write: "Write" } as const;
