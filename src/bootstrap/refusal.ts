import { Code, type ResponseCode } from "../coap/index.ts";

/** Why a request is not served: the answer, and for the log what lies behind it, which a stranger is not told. */
export interface Refusal {
  readonly code: ResponseCode;
  /** The answer's payload; in 4.00 the words Leshan uses where it has the case. */
  readonly words?: string;
  readonly maxAge?: number;
  /** Whether the balancer is to be told that the device's profile is unknown or does not fit it. */
  readonly profileAtFault?: boolean;
  /** One line for the log. */
  readonly why: string;
}

/** Seconds a device is asked to wait when the balancer or a security store cannot be asked. */
export const RETRY_AFTER = 30;

/** Whether it is a refusal, not what was asked for. */
export function isRefusal(outcome: object): outcome is Refusal {
  return "why" in outcome;
}

/** LwM2M answers nearly everything that is wrong with a request by 4.00. */
export function refuse(words: string, why: string): Refusal {
  return { code: Code.badRequest, words, why };
}
