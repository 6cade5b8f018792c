export {
  Code,
  EXCHANGE_LIFETIME,
  isSuccess,
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
  Delivery,
  IncomingRequest,
  OnDelivery,
  OnResult,
  ReceivedResponse,
  RequestFailure,
  RequestResult,
} from "./types.ts";
