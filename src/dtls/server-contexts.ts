import { InvalidInput } from "../lib/errors.ts";
import { ALL_SUITES, type CipherSuite, cipherList, type SuiteProof } from "./cipher-suites.ts";
import { type ClientHello, rawPublicKeysIn } from "./client-hello.ts";
import type { Pointer } from "./native.ts";
import type { OpenSsl } from "./openssl.ts";
import type { DtlsServerOptions, Encoded, ServerX509 } from "./types.ts";

/**
 * The contexts of one server. OpenSSL has room for one key of a kind in a context, so the server's certificate and its raw
 * public key have a context each. Both know the PSK suites as well.
 */
export class ServerContexts {
  readonly #openssl: OpenSsl;
  readonly #suites: readonly CipherSuite[];
  readonly #psk: readonly SuiteProof[];
  /** For all but raw public keys; none if the server has only these. */
  #main: Pointer | undefined;
  #hasX509: boolean;
  readonly #raw: Pointer | undefined;

  /** @throws InvalidInput, OpenSslTooOld */
  constructor(openssl: OpenSsl, { lookupPsk, x509, rawPublicKey, cipherSuites }: DtlsServerOptions) {
    if (lookupPsk === undefined && x509 === undefined && rawPublicKey === undefined) {
      throw new InvalidInput("lookupPsk, x509, rawPublicKey: a server needs one of these, and none is there");
    }
    this.#openssl = openssl;
    this.#suites = cipherSuites ?? ALL_SUITES;
    this.#psk = lookupPsk === undefined ? [] : ["psk"];
    this.#raw = rawPublicKey === undefined ? undefined : this.#rawContext(rawPublicKey.privateKey);
    this.#hasX509 = x509 !== undefined;
    try {
      if (lookupPsk !== undefined || x509 !== undefined) this.#main = this.#mainContext(x509);
    } catch (error) {
      this.free();
      throw error;
    }
  }

  /** The one for a client's handshake; it stays while the handshake's SSL object does. */
  for(hello: ClientHello): Pointer {
    if (this.#raw === undefined || this.#main === undefined) return this.#main ?? this.#raw ?? 0;
    const raw = rawPublicKeysIn(hello);
    return raw === "wanted" || (raw === "possible" && !this.#hasX509) ? this.#raw : this.#main;
  }

  /**
   * Changes the certificates for handshakes from now on.
   * @throws InvalidInput, and then everything is as before
   */
  replaceX509(x509: ServerX509): void {
    const old = this.#main;
    this.#main = this.#mainContext(x509);
    this.#hasX509 = true;
    if (old !== undefined) this.#openssl.native.SSL_CTX_free(old);
  }

  free(): void {
    for (const context of [this.#main, this.#raw]) {
      if (context !== undefined) this.#openssl.native.SSL_CTX_free(context);
    }
  }

  #mainContext(x509: ServerX509 | undefined): Pointer {
    if (x509 === undefined) return this.#openssl.serverContext(cipherList(this.#suites, this.#psk), () => {});
    return this.#openssl.serverContext(cipherList(this.#suites, [...this.#psk, "certificate"]), (context) => {
      const { certificates } = this.#openssl;
      certificates.showChain(context, x509.certificate, x509.privateKey, "x509");
      certificates.demandChain(context, x509.clientCa, x509.crl, "x509.clientCa", "x509.crl");
    });
  }

  #rawContext(privateKey: Encoded): Pointer {
    return this.#openssl.serverContext(cipherList(this.#suites, [...this.#psk, "certificate"]), (context) => {
      const { certificates } = this.#openssl;
      certificates.showRawPublicKey(context, privateKey, "rawPublicKey.privateKey");
      certificates.demandRawPublicKey(context);
    });
  }
}
