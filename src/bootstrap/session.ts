import { isSuccess, type RequestFailure, type ResponseCode } from "../coap/index.ts";
import type { FailureCause } from "../control/index.ts";
import type { BootstrapStep } from "../lwm2m/index.ts";

/**
 * Where a bootstrap session stands. While it is `requesting`, exactly one request is under way: that of
 * `steps[step]`, for the `attempt`-th time.
 */
export type SessionState =
  | {
      readonly name: "requesting";
      readonly step: number;
      readonly attempt: number;
      /** Writes go out in the format of the steps, or, once the device has refused that, in TLV. */
      readonly format: "as-planned" | "tlv";
    }
  | { readonly name: "completed" }
  | { readonly name: "failed"; readonly cause: FailureCause; readonly detail: string };

/** What can happen to a session. */
export type SessionInput =
  | { readonly type: "answered"; readonly code: ResponseCode }
  | { readonly type: "unanswered"; readonly failure: RequestFailure }
  | { readonly type: "deadline" }
  /** A newer request of the same device has taken its place. */
  | { readonly type: "replaced" }
  | { readonly type: "connection-lost" };

/** How often a Delete or Write is sent under a message id of its own before its silence fails the session. */
const ATTEMPTS = 2;

/**
 * Answers to a Delete that only say that there is nothing to delete or that it is protected; which of them a client
 * chooses differs from client to client, and the configuration is none the worse for it.
 */
const NOTHING_TO_DELETE: ReadonlySet<ResponseCode> = new Set<ResponseCode>(["4.00", "4.04", "4.05"]);

/** How clients say that they do not read the format of a Write. */
const FORMAT_REFUSED: ReadonlySet<ResponseCode> = new Set<ResponseCode>(["4.06", "4.15"]);

/** The state a session begins in: the first request is to be sent. */
export const SESSION_BEGIN: SessionState = { name: "requesting", step: 0, attempt: 1, format: "as-planned" };

/**
 * The state after `input`. When it is `requesting`, the request of its step is to be sent now, under a new message
 * id; in the two other states the session is over.
 * @param rewritable whether the step under way is a Write in another format than TLV
 */
export function nextState(
  state: SessionState,
  input: SessionInput,
  steps: readonly BootstrapStep[],
  rewritable: boolean,
): SessionState {
  if (state.name !== "requesting") return state;
  const step = steps[state.step];
  switch (input.type) {
    case "deadline":
      return failed("deadline", `no end by ${step === undefined ? "its last step" : nameOf(step)}`);
    case "replaced":
      return failed("cancelled", "a newer request of the device took its place");
    case "connection-lost":
      return failed("connection-lost", "the association with the device ended");
    case "unanswered": {
      if (step === undefined) return failed("internal", "an answer without a request");
      // Finish is what makes all the rest count: it is repeated for as long as the session may last.
      const again = input.failure === "timeout" && (step.kind === "finish" || state.attempt < ATTEMPTS);
      if (again) return { ...state, attempt: state.attempt + 1 };
      return failed(step.kind === "finish" ? "finish-failed" : "request-failed", `${nameOf(step)}: ${FAILURES[input.failure]}`);
    }
    case "answered": {
      if (step === undefined) return failed("internal", "an answer without a request");
      return afterAnswer(state, step, input.code, steps, rewritable);
    }
  }
}

function afterAnswer(
  state: Extract<SessionState, { name: "requesting" }>,
  step: BootstrapStep,
  code: ResponseCode,
  steps: readonly BootstrapStep[],
  rewritable: boolean,
): SessionState {
  const passed = isSuccess(code) || (step.kind === "delete" && NOTHING_TO_DELETE.has(code));
  if (passed) {
    const next = state.step + 1;
    return next < steps.length ? { ...state, step: next, attempt: 1 } : { name: "completed" };
  }
  if (step.kind === "finish") return failed("finish-failed", `the device answered Finish with ${code}`);
  if (rewritable && state.format === "as-planned" && FORMAT_REFUSED.has(code)) return { ...state, format: "tlv", attempt: 1 };
  return failed("request-failed", `the device answered ${nameOf(step)} with ${code}`);
}

function failed(cause: FailureCause, detail: string): SessionState {
  return { name: "failed", cause, detail };
}

const FAILURES: Readonly<Record<RequestFailure, string>> = {
  timeout: "no answer",
  reset: "the device rejected it with a Reset",
  cancelled: "it was cancelled",
  "too-large": "the answer is too long",
  incomplete: "the blocks of the answer do not fit together",
};

/** A step as a person names it: "Write /0/1". */
function nameOf(step: BootstrapStep): string {
  if (step.kind === "finish") return "Finish";
  return `${step.kind === "delete" ? "Delete" : "Write"} ${step.path}`;
}
