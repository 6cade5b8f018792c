import type { Instant } from "../lib/clock.ts";
import { InternalError, InvalidInput } from "../lib/errors.ts";
import { MAX_CERTIFICATES } from "./certificate-flight.ts";
import { isNull, type Pointer } from "./native.ts";
import type { NativeCertificates } from "./native-certificates.ts";
import { NativeObjects } from "./native-objects.ts";
import type { OpenSsl } from "./openssl.ts";
import type { Encoded, PeerCredential } from "./types.ts";

// From OpenSSL's public headers ssl.h, tls1.h, x509_vfy.h, x509v3.h and obj_mac.h.
const SSL_VERIFY_PEER = 1;
const SSL_VERIFY_FAIL_IF_NO_PEER_CERT = 2;
const DEMAND: number = SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
const SSL_CTRL_MODE = 33;
const SSL_CTRL_SET_MAX_CERT_LIST = 51;
const SSL_CTRL_CHAIN_CERT = 89;
const SSL_CTRL_SET_SIGALGS_LIST = 98;
const SSL_MODE_NO_AUTO_CHAIN = 8;
const X509_V_FLAG_CRL_CHECK = 4;
const X509_V_FLAG_CRL_CHECK_ALL = 8;
const X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS = 4;
const KU_DIGITAL_SIGNATURE = 0x80;
const X509_V_OK = 0;
const X509_V_ERR_UNABLE_TO_GET_CRL = 3;
const X509_V_ERR_CERT_UNTRUSTED = 27;
const X509_V_ERR_RPK_UNTRUSTED = 95;
const NID_SERVER_AUTH = 129;
const NID_CLIENT_AUTH = 130;
/** What `SSL_state_string` says then. */
const CERTIFICATE_VERIFY_READ = "TRCV";
const RAW_PUBLIC_KEYS: Uint8Array = Uint8Array.of(2);

/** 112 bits: RSA of 2048 bits, any curve from P-224 on, no SHA-1. */
const AUTH_LEVEL = 2;
/** CAs between a certificate and its trust anchor at most: more than any public hierarchy has. */
const MAX_INTERMEDIATES = 6;
/** Signatures that are taken, and made: no SHA-1, which TLS 1.2 has as well. */
const SIGNATURES =
  "ECDSA+SHA256:ECDSA+SHA384:ECDSA+SHA512:ed25519:RSA-PSS+SHA256:RSA-PSS+SHA384:RSA-PSS+SHA512:RSA+SHA256:RSA+SHA384:RSA+SHA512";

/** How contexts and SSL objects of OpenSSL's deal with certificates and raw public keys. */
export class Certificates {
  readonly #openssl: OpenSsl;
  readonly #native: NativeCertificates;
  readonly #objects: NativeObjects;
  readonly #passAnchor: Pointer;
  readonly #passRawPublicKey: Pointer;
  readonly #comparePeer: Pointer;

  constructor(openssl: OpenSsl, native: NativeCertificates) {
    this.#openssl = openssl;
    this.#native = native;
    this.#objects = new NativeObjects(openssl.native, native, openssl.memoryBio());
    this.#passAnchor = native.registerVerify((ok, verification) => (ok === 1 || this.#isAnchorWithoutList(verification) ? 1 : 0));
    this.#passRawPublicKey = native.registerVerify((ok, verification) =>
      ok === 1 || this.#forgives(verification, X509_V_ERR_RPK_UNTRUSTED) ? 1 : 0,
    );
    this.#comparePeer = native.registerAppVerify((verification) => (this.#isExpected(verification) ? 1 : 0));
  }

  /**
   * Has a context show a certificate chain.
   * @param what where the two are, for errors
   * @throws InvalidInput
   */
  showChain(context: Pointer, certificate: Encoded, privateKey: Encoded, what: string): void {
    this.#openssl.native.SSL_CTX_ctrl(context, SSL_CTRL_MODE, SSL_MODE_NO_AUTO_CHAIN, 0);
    this.#objects.use("certificate", certificate, `${what}.certificate`, (chain) => {
      const size = chain.reduce<number>((sum, one) => sum + 3 + this.#objects.certificateDer(one).length, 3);
      if (size > MAX_CERTIFICATES) {
        throw new InvalidInput(`${what}.certificate: may take ${MAX_CERTIFICATES} bytes, takes ${size}`);
      }
      const [own = 0, ...above] = chain;
      if ((this.#native.X509_get_key_usage(own) & KU_DIGITAL_SIGNATURE) === 0) {
        throw new InvalidInput(
          `${what}.certificate: the first one has to be the owner's own, and its keyUsage lacks digitalSignature`,
        );
      }
      if (this.#native.SSL_CTX_use_certificate(context, own) !== 1) this.#complain(`${what}.certificate: is of no kind for TLS`);
      for (const ca of above) this.#openssl.native.SSL_CTX_ctrl(context, SSL_CTRL_CHAIN_CERT, 1, ca);
    });
    this.#useKey(context, privateKey, `${what}.privateKey`, "does not belong to the certificate, which has to be the first one");
  }

  /**
   * Has a context show a raw public key, and take nothing else of the peer.
   * @param what where the key is, for errors
   * @throws InvalidInput, OpenSslTooOld
   */
  showRawPublicKey(context: Pointer, privateKey: Encoded, what: string): void {
    const native = this.#openssl.rawPublicKeys;
    native.SSL_CTX_set1_client_cert_type(context, RAW_PUBLIC_KEYS, RAW_PUBLIC_KEYS.length);
    native.SSL_CTX_set1_server_cert_type(context, RAW_PUBLIC_KEYS, RAW_PUBLIC_KEYS.length);
    this.#useKey(context, privateKey, what, "is of no kind that signs in TLS");
  }

  /**
   * Has a context demand a chain that ends at one of `authorities`, each of which is a trust anchor unless its issuer is
   * among them too. With `revoked`, every CA below a self-signed one needs a list, and so does any anchor.
   * @param what the options' names, for errors
   * @throws InvalidInput
   */
  demandChain(context: Pointer, authorities: Encoded, revoked: Encoded | undefined, what: string, whatRevoked = ""): void {
    const native = this.#native;
    const store = native.SSL_CTX_get_cert_store(context);
    const standAlone = this.#objects.use("certificate", authorities, what, (all) => {
      const anchors = all.filter((one) => !all.some((other) => other !== one && isIssuer(native, other, one)));
      for (const anchor of anchors) {
        native.X509_add1_trust_object(anchor, native.OBJ_nid2obj(NID_CLIENT_AUTH));
        native.X509_add1_trust_object(anchor, native.OBJ_nid2obj(NID_SERVER_AUTH));
      }
      for (const one of all) native.X509_STORE_add_cert(store, one);
      return anchors.some((one) => !isIssuer(native, one, one));
    });
    const parameters = this.#judge(context);
    if (revoked !== undefined) {
      this.#objects.use("revocationList", revoked, whatRevoked, (lists) => {
        for (const list of lists) native.X509_STORE_add_crl(store, list);
      });
      native.X509_VERIFY_PARAM_set_flags(parameters, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
    }
    this.#openssl.native.ERR_clear_error();
    native.SSL_CTX_set_verify(context, DEMAND, revoked !== undefined && standAlone ? this.#passAnchor : 0);
  }

  /** Has a context demand that the certificate is for this host name or address. */
  demandName(context: Pointer, name: string): void {
    const parameters = this.#native.SSL_CTX_get0_param(context);
    if (this.#native.X509_VERIFY_PARAM_set1_ip_asc(parameters, name) === 1) return;
    this.#openssl.native.ERR_clear_error();
    // "w*.example.com" is not a name a CA should sign, nor one to accept (RFC 6125 section 7.2).
    this.#native.X509_VERIFY_PARAM_set_hostflags(parameters, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    this.#native.X509_VERIFY_PARAM_set1_host(parameters, name, 0);
  }

  /** Has a context demand a raw public key, whichever it is: the user looks who that is. */
  demandRawPublicKey(context: Pointer): void {
    this.#judge(context);
    this.#native.SSL_CTX_set_verify(context, DEMAND, this.#passRawPublicKey);
  }

  /** Has a context demand the certificate or raw public key that `OpenSsl.withCredentials` names. */
  demandExpected(context: Pointer): void {
    this.#judge(context);
    this.#native.SSL_CTX_set_verify(context, DEMAND, 0);
    this.#native.SSL_CTX_set_cert_verify_callback(context, this.#comparePeer, 0);
  }

  /**
   * The DER of one certificate or public key, as a peer will show it.
   * @throws InvalidInput
   */
  expectedDer(kind: "certificate" | "publicKey", encoded: Encoded, what: string): Uint8Array {
    return this.#objects.use(kind, encoded, what, ([one = 0]) =>
      kind === "certificate" ? this.#objects.certificateDer(one) : this.#objects.publicKeyDer(one),
    );
  }

  /** Has the chain that comes be judged by this time. */
  setTime(ssl: Pointer, now: Instant): void {
    this.#native.X509_VERIFY_PARAM_set_time(this.#native.SSL_get0_param(ssl), Math.floor(now / 1000));
  }

  /** Whether the client has shown its certificate and proven its key, so that ChangeCipherSpec is next. */
  awaitsCipherChange(ssl: Pointer): boolean {
    return this.#native.SSL_state_string(ssl) === CERTIFICATE_VERIFY_READ;
  }

  /** Who the peer of a completed handshake with certificates or raw public keys is. */
  peerOf(ssl: Pointer): PeerCredential {
    const certificate = this.#native.SSL_get0_peer_certificate(ssl);
    if (!isNull(certificate)) return { mode: "x509", certificate: this.#objects.certificateDer(certificate) };
    const key = this.#openssl.rawPublicKeys.SSL_get0_peer_rpk(ssl);
    return { mode: "rpk", publicKey: this.#objects.publicKeyDer(key) };
  }

  /** What verification has found wrong; 0 is nothing. */
  verifyResult(ssl: Pointer): number {
    return this.#native.SSL_get_verify_result(ssl);
  }

  #useKey(context: Pointer, privateKey: Encoded, what: string, complaint: string): void {
    this.#objects.use("privateKey", privateKey, what, ([key = 0]) => {
      if (this.#native.SSL_CTX_use_PrivateKey(context, key) !== 1) this.#complain(`${what}: ${complaint}`);
    });
  }

  /** What holds for all certificates and raw public keys of peers. */
  #judge(context: Pointer): Pointer {
    const { native } = this.#openssl;
    const signatures = Buffer.from(`${SIGNATURES}\0`);
    if (this.#native.SSL_CTX_ctrl_bytes(context, SSL_CTRL_SET_SIGALGS_LIST, 0, signatures) !== 1) {
      throw new InternalError(`${this.#openssl.version} does not know all of ${SIGNATURES}`);
    }
    native.SSL_CTX_ctrl(context, SSL_CTRL_SET_MAX_CERT_LIST, MAX_CERTIFICATES, 0);
    const parameters = this.#native.SSL_CTX_get0_param(context);
    this.#native.X509_VERIFY_PARAM_set_auth_level(parameters, AUTH_LEVEL);
    this.#native.X509_VERIFY_PARAM_set_depth(parameters, MAX_INTERMEDIATES);
    return parameters;
  }

  /** Whether all that is wrong is that no list tells about the trust anchor, which is trusted because it was named. */
  #isAnchorWithoutList(verification: Pointer): boolean {
    const native = this.#native;
    const length = native.OPENSSL_sk_num(native.X509_STORE_CTX_get0_chain(verification));
    const isAnchor = length > 1 && native.X509_STORE_CTX_get_error_depth(verification) === length - 1;
    return isAnchor && this.#forgives(verification, X509_V_ERR_UNABLE_TO_GET_CRL);
  }

  #forgives(verification: Pointer, error: number): boolean {
    if (this.#native.X509_STORE_CTX_get_error(verification) !== error) return false;
    this.#native.X509_STORE_CTX_set_error(verification, X509_V_OK);
    return true;
  }

  #isExpected(verification: Pointer): boolean {
    const native = this.#native;
    const certificate = native.X509_STORE_CTX_get0_cert(verification);
    const shown = isNull(certificate)
      ? this.#objects.publicKeyDer(this.#openssl.rawPublicKeys.X509_STORE_CTX_get0_rpk(verification))
      : this.#objects.certificateDer(certificate);
    const expected = this.#openssl.expectedPeer;
    const same = expected !== undefined && Buffer.compare(shown, expected) === 0;
    native.X509_STORE_CTX_set_error(verification, same ? X509_V_OK : X509_V_ERR_CERT_UNTRUSTED);
    return same;
  }

  #complain(message: string): never {
    this.#openssl.native.ERR_clear_error();
    throw new InvalidInput(message);
  }
}

function isIssuer(native: NativeCertificates, issuer: Pointer, subject: Pointer): boolean {
  return native.X509_check_issued(issuer, subject) === X509_V_OK;
}
