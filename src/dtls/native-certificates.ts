import koffi, { type LibraryHandle } from "koffi";
import type { Pointer } from "./native.ts";

type VerifyCallback = (ok: number, verification: Pointer) => number;
type AppVerifyCallback = (verification: Pointer, argument: Pointer) => number;

/** The functions of OpenSSL we call for certificates, by their own names. */
export interface NativeCertificates {
  readonly BIO_ctrl_pending: (bio: Pointer) => number;
  readonly d2i_X509_bio: (bio: Pointer, reuse: Pointer) => Pointer;
  readonly d2i_X509_CRL_bio: (bio: Pointer, reuse: Pointer) => Pointer;
  readonly d2i_PrivateKey_bio: (bio: Pointer, reuse: Pointer) => Pointer;
  readonly d2i_PUBKEY_bio: (bio: Pointer, reuse: Pointer) => Pointer;
  readonly i2d_X509_bio: (bio: Pointer, certificate: Pointer) => number;
  readonly i2d_PUBKEY_bio: (bio: Pointer, key: Pointer) => number;
  readonly OBJ_nid2obj: (id: number) => Pointer;
  readonly X509_add1_trust_object: (certificate: Pointer, purpose: Pointer) => number;
  readonly X509_check_issued: (issuer: Pointer, subject: Pointer) => number;
  readonly X509_get_key_usage: (certificate: Pointer) => number;
  readonly X509_free: (certificate: Pointer) => void;
  readonly X509_CRL_free: (crl: Pointer) => void;
  readonly EVP_PKEY_free: (key: Pointer) => void;
  readonly SSL_CTX_get_cert_store: (context: Pointer) => Pointer;
  readonly X509_STORE_add_cert: (store: Pointer, certificate: Pointer) => number;
  readonly X509_STORE_add_crl: (store: Pointer, crl: Pointer) => number;
  readonly SSL_CTX_get0_param: (context: Pointer) => Pointer;
  readonly SSL_get0_param: (ssl: Pointer) => Pointer;
  readonly X509_VERIFY_PARAM_set_flags: (parameters: Pointer, flags: number) => number;
  readonly X509_VERIFY_PARAM_set_auth_level: (parameters: Pointer, level: number) => void;
  readonly X509_VERIFY_PARAM_set_depth: (parameters: Pointer, depth: number) => void;
  readonly X509_VERIFY_PARAM_set_time: (parameters: Pointer, seconds: number) => void;
  readonly X509_VERIFY_PARAM_set_hostflags: (parameters: Pointer, flags: number) => void;
  readonly X509_VERIFY_PARAM_set1_host: (parameters: Pointer, name: string, length: number) => number;
  readonly X509_VERIFY_PARAM_set1_ip_asc: (parameters: Pointer, address: string) => number;
  readonly SSL_CTX_use_certificate: (context: Pointer, certificate: Pointer) => number;
  readonly SSL_CTX_use_PrivateKey: (context: Pointer, key: Pointer) => number;
  /** `SSL_CTX_ctrl` with bytes for its pointer. */
  readonly SSL_CTX_ctrl_bytes: (context: Pointer, command: number, number: number, bytes: Uint8Array) => number;
  readonly SSL_CTX_set_verify: (context: Pointer, mode: number, callback: Pointer) => void;
  readonly SSL_CTX_set_cert_verify_callback: (context: Pointer, callback: Pointer, argument: Pointer) => void;
  readonly SSL_get_verify_result: (ssl: Pointer) => number;
  readonly SSL_get0_peer_certificate: (ssl: Pointer) => Pointer;
  /** Four or five letters; "TRCV" when CertificateVerify was read last. The numbers differ between versions, these do not. */
  readonly SSL_state_string: (ssl: Pointer) => string;
  readonly X509_STORE_CTX_get_error: (verification: Pointer) => number;
  readonly X509_STORE_CTX_set_error: (verification: Pointer, error: number) => void;
  readonly X509_STORE_CTX_get_error_depth: (verification: Pointer) => number;
  readonly X509_STORE_CTX_get0_chain: (verification: Pointer) => Pointer;
  readonly X509_STORE_CTX_get0_cert: (verification: Pointer) => Pointer;
  readonly OPENSSL_sk_num: (stack: Pointer) => number;
  /** Makes a C function of a JavaScript one, for good. */
  readonly registerVerify: (callback: VerifyCallback) => Pointer;
  readonly registerAppVerify: (callback: AppVerifyCallback) => Pointer;
}

/** What OpenSSL has for raw public keys from 3.2 on. */
export interface NativeRawPublicKeys {
  readonly SSL_CTX_set1_client_cert_type: (context: Pointer, types: Uint8Array, length: number) => number;
  readonly SSL_CTX_set1_server_cert_type: (context: Pointer, types: Uint8Array, length: number) => number;
  readonly SSL_get0_peer_rpk: (ssl: Pointer) => Pointer;
  readonly X509_STORE_CTX_get0_rpk: (verification: Pointer) => Pointer;
}

const POINTER = "uintptr_t";
const BYTES = "void *";

/**
 * Finds the functions in a library.
 * @throws Error naming the first function that is missing
 */
export function bindCertificates(library: LibraryHandle): NativeCertificates {
  const bind = <Name extends keyof NativeCertificates>(
    name: Name,
    result: string,
    ...parameters: string[]
  ): NativeCertificates[Name] => library.func(name, result, parameters) as unknown as NativeCertificates[Name];
  return {
    BIO_ctrl_pending: bind("BIO_ctrl_pending", "size_t", POINTER),
    d2i_X509_bio: bind("d2i_X509_bio", POINTER, POINTER, POINTER),
    d2i_X509_CRL_bio: bind("d2i_X509_CRL_bio", POINTER, POINTER, POINTER),
    d2i_PrivateKey_bio: bind("d2i_PrivateKey_bio", POINTER, POINTER, POINTER),
    d2i_PUBKEY_bio: bind("d2i_PUBKEY_bio", POINTER, POINTER, POINTER),
    i2d_X509_bio: bind("i2d_X509_bio", "int", POINTER, POINTER),
    i2d_PUBKEY_bio: bind("i2d_PUBKEY_bio", "int", POINTER, POINTER),
    OBJ_nid2obj: bind("OBJ_nid2obj", POINTER, "int"),
    X509_add1_trust_object: bind("X509_add1_trust_object", "int", POINTER, POINTER),
    X509_check_issued: bind("X509_check_issued", "int", POINTER, POINTER),
    X509_get_key_usage: bind("X509_get_key_usage", "uint32", POINTER),
    X509_free: bind("X509_free", "void", POINTER),
    X509_CRL_free: bind("X509_CRL_free", "void", POINTER),
    EVP_PKEY_free: bind("EVP_PKEY_free", "void", POINTER),
    SSL_CTX_get_cert_store: bind("SSL_CTX_get_cert_store", POINTER, POINTER),
    X509_STORE_add_cert: bind("X509_STORE_add_cert", "int", POINTER, POINTER),
    X509_STORE_add_crl: bind("X509_STORE_add_crl", "int", POINTER, POINTER),
    SSL_CTX_get0_param: bind("SSL_CTX_get0_param", POINTER, POINTER),
    SSL_get0_param: bind("SSL_get0_param", POINTER, POINTER),
    X509_VERIFY_PARAM_set_flags: bind("X509_VERIFY_PARAM_set_flags", "int", POINTER, "ulong"),
    X509_VERIFY_PARAM_set_auth_level: bind("X509_VERIFY_PARAM_set_auth_level", "void", POINTER, "int"),
    X509_VERIFY_PARAM_set_depth: bind("X509_VERIFY_PARAM_set_depth", "void", POINTER, "int"),
    X509_VERIFY_PARAM_set_time: bind("X509_VERIFY_PARAM_set_time", "void", POINTER, "int64"),
    X509_VERIFY_PARAM_set_hostflags: bind("X509_VERIFY_PARAM_set_hostflags", "void", POINTER, "uint"),
    X509_VERIFY_PARAM_set1_host: bind("X509_VERIFY_PARAM_set1_host", "int", POINTER, "str", "size_t"),
    X509_VERIFY_PARAM_set1_ip_asc: bind("X509_VERIFY_PARAM_set1_ip_asc", "int", POINTER, "str"),
    SSL_CTX_use_certificate: bind("SSL_CTX_use_certificate", "int", POINTER, POINTER),
    SSL_CTX_use_PrivateKey: bind("SSL_CTX_use_PrivateKey", "int", POINTER, POINTER),
    SSL_CTX_ctrl_bytes: library.func("SSL_CTX_ctrl", "long", [
      POINTER,
      "int",
      "long",
      BYTES,
    ]) as unknown as NativeCertificates["SSL_CTX_ctrl_bytes"],
    SSL_CTX_set_verify: bind("SSL_CTX_set_verify", "void", POINTER, "int", POINTER),
    SSL_CTX_set_cert_verify_callback: bind("SSL_CTX_set_cert_verify_callback", "void", POINTER, POINTER, POINTER),
    SSL_get_verify_result: bind("SSL_get_verify_result", "long", POINTER),
    SSL_get0_peer_certificate: bind("SSL_get0_peer_certificate", POINTER, POINTER),
    SSL_state_string: bind("SSL_state_string", "str", POINTER),
    X509_STORE_CTX_get_error: bind("X509_STORE_CTX_get_error", "int", POINTER),
    X509_STORE_CTX_set_error: bind("X509_STORE_CTX_set_error", "void", POINTER, "int"),
    X509_STORE_CTX_get_error_depth: bind("X509_STORE_CTX_get_error_depth", "int", POINTER),
    X509_STORE_CTX_get0_chain: bind("X509_STORE_CTX_get0_chain", POINTER, POINTER),
    X509_STORE_CTX_get0_cert: bind("X509_STORE_CTX_get0_cert", POINTER, POINTER),
    OPENSSL_sk_num: bind("OPENSSL_sk_num", "int", POINTER),
    registerVerify: (callback) => koffi.register(callback, koffi.pointer(koffi.proto("int", ["int", POINTER]))),
    registerAppVerify: (callback) => koffi.register(callback, koffi.pointer(koffi.proto("int", [POINTER, POINTER]))),
  };
}

/**
 * Finds the functions for raw public keys.
 * @throws Error naming the first function that is missing, as in any OpenSSL before 3.2
 */
export function bindRawPublicKeys(library: LibraryHandle): NativeRawPublicKeys {
  const bind = <Name extends keyof NativeRawPublicKeys>(
    name: Name,
    result: string,
    ...parameters: string[]
  ): NativeRawPublicKeys[Name] => library.func(name, result, parameters) as unknown as NativeRawPublicKeys[Name];
  return {
    SSL_CTX_set1_client_cert_type: bind("SSL_CTX_set1_client_cert_type", "int", POINTER, BYTES, "size_t"),
    SSL_CTX_set1_server_cert_type: bind("SSL_CTX_set1_server_cert_type", "int", POINTER, BYTES, "size_t"),
    SSL_get0_peer_rpk: bind("SSL_get0_peer_rpk", POINTER, POINTER),
    X509_STORE_CTX_get0_rpk: bind("X509_STORE_CTX_get0_rpk", POINTER, POINTER),
  };
}
