import type { ReceivedResponse } from "../coap/index.ts";
import type { Seconds } from "../lib/clock.ts";
import { errorText } from "../lib/errors.ts";
import { DEFAULT_MAX_AGE } from "./retry.ts";

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
  /** The Bootstrap-Request, or the Pack-Request, was not answered. */
  | "no-answer"
  /** The server does not want this device: an answer other than 2.04 and 5.03, one that cannot be read, or a Reset. */
  | "refused"
  /** 5.03 Service Unavailable: come back after Max-Age. */
  | "busy"
  /** The server stopped before Finish. */
  | "no-finish"
  /** Finish came, was refused because the configuration is inconsistent (4.06), and not corrected. */
  | "inconsistent"
  /** The new configuration could not be stored, so the server's Finish was answered 5.00. */
  | "not-stored"
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

/** The store threw. */
export function notStored(error: unknown): Failure {
  return { cause: "not-stored", detail: errorText(error) };
}

/** The server answered 5.03. */
export function busy({ code, payload, maxAge = DEFAULT_MAX_AGE }: ReceivedResponse): Failure {
  return { cause: "busy", detail: answerText(code, payload), maxAge };
}

/** Code and diagnostic payload of an answer; what comes from outside is cut short and stripped of control characters. */
export function answerText(code: string, payload: Uint8Array = new Uint8Array()): string {
  const text = Buffer.from(payload.subarray(0, 200))
    .toString("utf8")
    .replaceAll(/[^\p{L}\p{N}\p{P}\p{S} ]/gu, "");
  return text === "" ? code : `${code} ${text.slice(0, 100)}`;
}
