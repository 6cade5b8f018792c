import type { LibraryHandle } from "koffi";
import { BerthError, errorText, InternalError } from "../lib/errors.ts";
import { Certificates } from "./certificates.ts";
import { type CipherSuite, suiteOfCode } from "./cipher-suites.ts";
import { bindNative, isNull, type Native, openLibrary, type Pointer, poke } from "./native.ts";
import { bindCertificates, bindRawPublicKeys, type NativeRawPublicKeys } from "./native-certificates.ts";
import { MAX_DATAGRAM } from "./records.ts";

/** No OpenSSL 3 with DTLS and PSK could be reached. Code `openssl-unavailable`. */
export class OpenSslUnavailable extends BerthError {
  constructor(message: string, cause?: unknown) {
    super("openssl-unavailable", message, { cause });
  }
}

/** The OpenSSL there is cannot do what was asked for. Code `openssl-too-old`. */
export class OpenSslTooOld extends BerthError {
  constructor(message: string, cause?: unknown) {
    super("openssl-too-old", message, { cause });
  }
}

/** Where OpenSSL may be: `null` is the running node binary, which exports its own; then what systems install. */
const LIBRARIES: readonly (string | null)[] = [
  null,
  "libssl.so.3",
  "/opt/homebrew/opt/openssl@3/lib/libssl.3.dylib",
  "/usr/local/opt/openssl@3/lib/libssl.3.dylib",
  "libssl-3-x64.dll",
];

// From OpenSSL's public headers ssl.h, bio.h and err.h, unchanged since 1.1.0 and part of its ABI.
const SSL_OP_NO_QUERY_MTU = 2 ** 12;
const SSL_OP_NO_TICKET = 2 ** 14;
const SSL_OP_NO_ENCRYPT_THEN_MAC = 2 ** 19;
const SSL_OP_CIPHER_SERVER_PREFERENCE = 2 ** 22;
const SSL_OP_NO_RENEGOTIATION = 2 ** 30;
// With encrypt-then-MAC OpenSSL 3.0 ends an association for one record with a bad MAC, which anybody could send. Without it,
// as with the AEAD suites, the record is dropped (RFC 6347 section 4.1.2.7).
const CONTEXT_OPTIONS =
  SSL_OP_NO_QUERY_MTU | SSL_OP_NO_TICKET | SSL_OP_NO_ENCRYPT_THEN_MAC | SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_NO_RENEGOTIATION;
const SSL_CTRL_SET_MTU = 17;
const SSL_CTRL_SET_SESS_CACHE_MODE = 44;
const SSL_CTRL_SET_TLSEXT_HOSTNAME = 55;
const SSL_SESS_CACHE_OFF = 0;
const DTLS_CTRL_HANDLE_TIMEOUT = 74;
const BIO_CTRL_RESET = 1;
const BIO_CTRL_PENDING = 10;
const BIO_C_SET_BUF_MEM_EOF_RETURN = 130;
/** Longest PSK and PSK identity every OpenSSL 3 takes. */
export const MAX_PSK = 256;
export const MAX_IDENTITY = 255;

/** Who shakes hands at the moment: what OpenSSL's callbacks answer with. */
export interface Credentials {
  readonly psk?: Uint8Array;
  /** For a client with a PSK: the identity and a zero byte. */
  readonly identity?: Uint8Array;
  /** For a client that knows the server's certificate or raw public key: its DER. */
  readonly expectedPeer?: Uint8Array;
}

/**
 * OpenSSL's DTLS, reached through FFI. One per process, made by {@link loadOpenSsl}.
 *
 * All SSL objects share one pair of memory BIOs. Each call into OpenSSL is fed with one datagram and its output is taken
 * out before the next call, so the pair is empty in between, and an association needs no BIOs of its own.
 */
export class OpenSsl {
  /** For example `OpenSSL 3.0.19 27 Jan 2026`. */
  readonly version: string;
  readonly native: Native;
  /** Decrypted bytes of the last `SSL_read`. */
  readonly plaintext: Buffer = Buffer.alloc(MAX_DATAGRAM + 1024);
  #credentials: Credentials | undefined;
  readonly #input: Pointer;
  readonly #output: Pointer;
  readonly #outputBytes: Buffer = Buffer.alloc(65_536);
  readonly #address: Pointer;
  readonly #serverPsk: Pointer;
  readonly #clientPsk: Pointer;
  readonly #clientContexts: Map<string, Pointer> = new Map();
  readonly #library: LibraryHandle;
  #certificates: Certificates | undefined;
  #rawPublicKeys: NativeRawPublicKeys | undefined;

  /** @throws Error naming the first function that `library` lacks */
  constructor(library: LibraryHandle) {
    const native = bindNative(library);
    this.#library = library;
    this.native = native;
    this.version = native.OpenSSL_version(0);
    this.#input = this.memoryBio();
    this.#output = this.memoryBio();
    this.#address = native.BIO_ADDR_new();
    this.#serverPsk = native.registerServerPsk((_ssl, _identity, psk, room) => this.#givePsk(psk, room));
    this.#clientPsk = native.registerClientPsk((_ssl, _hint, identity, identityRoom, psk, room) => {
      const mine = this.#credentials?.identity;
      if (mine === undefined || mine.length > identityRoom) return 0;
      poke(identity, mine);
      return this.#givePsk(psk, room);
    });
  }

  /** What only certificates and raw public keys need; looked for when they are first used. */
  get certificates(): Certificates {
    this.#certificates ??= new Certificates(this, bindCertificates(this.#library));
    return this.#certificates;
  }

  /**
   * What only raw public keys need.
   * @throws OpenSslTooOld
   */
  get rawPublicKeys(): NativeRawPublicKeys {
    try {
      this.#rawPublicKeys ??= bindRawPublicKeys(this.#library);
      return this.#rawPublicKeys;
    } catch (error) {
      throw new OpenSslTooOld(`raw public keys need OpenSSL 3.2, and this is ${this.version}; use Node 24 or later`, error);
    }
  }

  /** What {@link withCredentials} says that the peer must show. */
  get expectedPeer(): Uint8Array | undefined {
    return this.#credentials?.expectedPeer;
  }

  /**
   * A new context for servers; the caller frees it with `SSL_CTX_free`.
   * @param configure may throw, and then the context is freed
   */
  serverContext(ciphers: string, configure: (context: Pointer) => void): Pointer {
    const { native } = this;
    const context = this.#context(native.DTLSv1_2_server_method(), ciphers, configure);
    native.SSL_CTX_set_psk_server_callback(context, this.#serverPsk);
    // A cookie is judged before OpenSSL sees it. OpenSSL asks again, twice, and for that a function of its own will do that
    // takes an SSL object and says 1 for every DTLS one: a callback into JavaScript would cost fifty times as much.
    native.SSL_CTX_set_cookie_verify_cb(context, native.alwaysTrueForDtls);
    return context;
  }

  /** A new context for a client without a PSK; the caller frees it with `SSL_CTX_free`. */
  clientContext(ciphers: string, configure: (context: Pointer) => void): Pointer {
    return this.#context(this.native.DTLSv1_2_client_method(), ciphers, configure);
  }

  /** The context for clients with a PSK and these ciphers. Made once and kept, so that a client costs one SSL object. */
  pskClientContext(ciphers: string): Pointer {
    const known = this.#clientContexts.get(ciphers);
    if (known !== undefined) return known;
    const context = this.clientContext(ciphers, () => {});
    this.native.SSL_CTX_set_psk_client_callback(context, this.#clientPsk);
    this.#clientContexts.set(ciphers, context);
    return context;
  }

  /** A new SSL object on the shared BIOs; the caller frees it with `SSL_free`. */
  newSsl(context: Pointer, mtu: number): Pointer {
    const { native } = this;
    const ssl = native.SSL_new(context);
    if (isNull(ssl)) throw new InternalError("OpenSSL is out of memory: SSL_new failed");
    native.BIO_up_ref(this.#input);
    native.BIO_up_ref(this.#output);
    native.SSL_set_bio(ssl, this.#input, this.#output);
    native.SSL_ctrl(ssl, SSL_CTRL_SET_MTU, mtu, null);
    return ssl;
  }

  /** Has a client's SSL object send the server_name extension. */
  setServerName(ssl: Pointer, name: string): void {
    this.native.SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, 0, Buffer.from(`${name}\0`, "latin1"));
  }

  /** Makes `datagram`, at most {@link MAX_DATAGRAM} bytes, the next thing OpenSSL reads. */
  load(datagram: Uint8Array): void {
    this.native.BIO_write(this.#input, datagram, datagram.length);
  }

  /** Throws away what OpenSSL has not read, lest another association reads it. */
  unload(): void {
    const { native } = this;
    if (native.BIO_ctrl(this.#input, BIO_CTRL_PENDING, 0, 0) > 0) native.BIO_ctrl(this.#input, BIO_CTRL_RESET, 0, 0);
  }

  /** Has a new SSL object take in the ClientHello that was loaded, its cookie being proven. */
  listen(ssl: Pointer): boolean {
    return this.native.DTLSv1_listen(ssl, this.#address) === 1;
  }

  /** Runs `step`, a step of a handshake, with `credentials` as the answer to OpenSSL's question for the key. */
  withCredentials(credentials: Credentials, step: () => void): void {
    this.#credentials = credentials;
    try {
      step();
    } finally {
      this.#credentials = undefined;
    }
  }

  /** The suite that ServerHello has chosen; undefined before. */
  cipherSuite(ssl: Pointer): CipherSuite | undefined {
    const cipher = this.native.SSL_get_pending_cipher(ssl);
    return isNull(cipher) ? undefined : suiteOfCode(this.native.SSL_CIPHER_get_protocol_id(cipher));
  }

  /** The last flight encrypted anew, if by the real clock OpenSSL finds it time to send it again; else empty. */
  retransmit(ssl: Pointer): Buffer {
    if (this.native.SSL_ctrl(ssl, DTLS_CTRL_HANDLE_TIMEOUT, 0, null) <= 0) this.native.ERR_clear_error();
    return this.takeOutput();
  }

  /** The records OpenSSL wrote, one after the other; empty if none. Valid until the next call. */
  takeOutput(): Buffer {
    const length = this.native.BIO_read(this.#output, this.#outputBytes, this.#outputBytes.length);
    return this.#outputBytes.subarray(0, Math.max(length, 0));
  }

  /** An empty memory BIO. */
  memoryBio(): Pointer {
    const { native } = this;
    const bio = native.BIO_new(native.BIO_s_mem());
    // An empty BIO means "nothing yet", not the end.
    native.BIO_ctrl(bio, BIO_C_SET_BUF_MEM_EOF_RETURN, -1, 0);
    return bio;
  }

  #givePsk(target: bigint, room: number): number {
    const psk = this.#credentials?.psk;
    if (psk === undefined || psk.length > room) return 0;
    poke(target, psk);
    return psk.length;
  }

  #context(method: Pointer, ciphers: string, configure: (context: Pointer) => void): Pointer {
    const { native } = this;
    const context = native.SSL_CTX_new(method);
    if (isNull(context)) throw new InternalError("OpenSSL is out of memory: SSL_CTX_new failed");
    native.SSL_CTX_set_options(context, CONTEXT_OPTIONS);
    // No resumption: a bootstrap session is one handshake per device and day, and a client that tries falls back to a full one.
    native.SSL_CTX_ctrl(context, SSL_CTRL_SET_SESS_CACHE_MODE, SSL_SESS_CACHE_OFF, 0);
    try {
      if (native.SSL_CTX_set_cipher_list(context, ciphers) !== 1) {
        throw new OpenSslUnavailable(`${this.version} was built without the cipher suites ${ciphers}; use another OpenSSL 3`);
      }
      configure(context);
      return context;
    } catch (error) {
      native.SSL_CTX_free(context);
      native.ERR_clear_error();
      throw error;
    }
  }
}

const loaded: Map<string, OpenSsl> = new Map();

/**
 * Reaches OpenSSL: first the one inside the running node binary, then a system's libssl 3. Loaded once per process.
 * @param libraries where to look instead, in this order; `null` is the node binary
 * @throws OpenSslUnavailable saying what was tried and what to do
 */
export function loadOpenSsl(libraries: readonly (string | null)[] = LIBRARIES): OpenSsl {
  const tried: string[] = [];
  for (const library of libraries) {
    const name = library ?? "the node binary";
    const known = loaded.get(name);
    if (known !== undefined) return known;
    try {
      const openssl = new OpenSsl(openLibrary(library));
      loaded.set(name, openssl);
      return openssl;
    } catch (error) {
      tried.push(`${name} (${errorText(error)})`);
    }
  }
  throw new OpenSslUnavailable(
    `DTLS needs OpenSSL 3, and none was found. Tried: ${tried.join("; ")}. ` +
      "Use a node binary from nodejs.org or NodeSource, or install OpenSSL 3 (Debian, Ubuntu: apt install libssl3; " +
      "Fedora: dnf install openssl-libs; macOS: brew install openssl@3)",
  );
}
