export {
  ACK_RANDOM_FACTOR,
  ACK_TIMEOUT,
  Code,
  EXCHANGE_LIFETIME,
  isSuccess,
  MAX_RETRANSMIT,
  type Method,
  type ResponseCode,
} from "./constants.ts";
export { CoapEndpoint } from "./endpoint.ts";
export type {
  CancelRequest,
  CoapCounts,
  CoapEffects,
  CoapOptions,
  CoapPeer,
  CoapRequest,
  CoapResponse,
  IncomingRequest,
  OnResult,
  ReceivedResponse,
  RequestFailure,
  RequestResult,
} from "./types.ts";
