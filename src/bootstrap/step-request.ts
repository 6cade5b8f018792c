import { type CoapRequest, isSuccess, type ReceivedResponse, type RequestResult } from "../coap/index.ts";
import type { Milliseconds } from "../lib/clock.ts";
import { type BootstrapStep, ContentFormat, decodeContent, decodeDiscover, parsePath, uriPath } from "../lwm2m/index.ts";
import type { SessionInput, StepAnswer } from "./session.ts";

const FINISH: CoapRequest = { method: "POST", path: ["bs"] };

/**
 * The CoAP request of a step (LwM2M Transport Binding 1.1, section 6.4.2).
 * @param format of what is written or read
 * @param timeout how long it may take; Finish is cut off by the session's deadline alone
 */
export function requestOf(step: BootstrapStep, format: number | undefined, timeout: Milliseconds): CoapRequest {
  switch (step.kind) {
    case "discover":
      return { method: "GET", path: uriPath(step.path), accept: ContentFormat.linkFormat, timeout };
    case "read":
      return { method: "GET", path: uriPath(step.path), accept: format, timeout };
    case "delete":
      return { method: "DELETE", path: uriPath(step.path), timeout };
    case "write": {
      const contentFormat = format ?? ContentFormat.tlv;
      return { method: "PUT", path: uriPath(step.path), contentFormat, payload: step.payload(contentFormat), timeout };
    }
    case "finish":
      return FINISH;
  }
}

/**
 * What came of the request of a step.
 * @param late whether it has had all the time it may have
 */
export function inputOf(step: BootstrapStep, result: RequestResult, late: boolean): SessionInput {
  if ("response" in result) return answerOf(step, result.response);
  return { type: "unanswered", failure: result.failure, late };
}

/** What the device's response to a step says. What it sends may be anything: what cannot be read counts as refused. */
function answerOf(step: BootstrapStep, { code, contentFormat, payload }: ReceivedResponse): StepAnswer {
  const answer: StepAnswer = { type: "answered", code };
  if (!isSuccess(code)) return answer;
  try {
    if (step.kind === "discover") return { ...answer, found: decodeDiscover(payload) };
    if (step.kind !== "read" || contentFormat === undefined) return answer;
    return { ...answer, servers: decodeContent(contentFormat, parsePath(step.path), payload) };
  } catch {
    return answer;
  }
}
