export { CIPHER_SUITES, type CipherSuite } from "./cipher-suites.ts";
export { DtlsClient } from "./client.ts";
export { loadOpenSsl, type OpenSsl, OpenSslTooOld, OpenSslUnavailable } from "./openssl.ts";
export { DtlsServer } from "./server.ts";
export type {
  Association,
  CertificateFault,
  ClientCredential,
  CloseReason,
  DtlsClientOptions,
  DtlsServerOptions,
  Encoded,
  Peer,
  PeerCredential,
  ServerTrust,
  ServerX509,
} from "./types.ts";
