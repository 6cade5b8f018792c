/** OpenSSL's DTLS, reached through FFI. Made by {@link loadOpenSsl}; one per process. */
export interface OpenSsl {
  /** For example `OpenSSL 3.0.19 27 Jan 2026`. */
  readonly version: string;
}
/** @throws OpenSslUnavailable */
export function loadOpenSsl(): OpenSsl {
  throw new Error("being built");
}
