export { CIPHER_SUITES, type CipherSuite } from "./cipher-suites.ts";
export { DtlsClient } from "./client.ts";
export { loadOpenSsl, type OpenSsl, OpenSslUnavailable } from "./openssl.ts";
export { DtlsServer } from "./server.ts";
export type {
  Association,
  CloseReason,
  DtlsClientOptions,
  DtlsServerOptions,
  Peer,
} from "./types.ts";
