import koffi, { type LibraryHandle, type TypeObject } from "koffi";

/**
 * The address of a native object. Declared to koffi as `uintptr_t`, which comes as a number while it is below 2^53, as it is
 * on all current systems, and costs less than the objects koffi makes of typed pointers.
 */
export type Pointer = number | bigint;

export function isNull(pointer: Pointer): boolean {
  return pointer === 0 || pointer === 0n;
}

type ServerPskCallback = (ssl: Pointer, identity: bigint, psk: bigint, room: number) => number;
type ClientPskCallback = (
  ssl: Pointer,
  hint: bigint,
  identity: bigint,
  identityRoom: number,
  psk: bigint,
  room: number,
) => number;

/** The functions of OpenSSL we call, by their own names. A `Uint8Array` is passed without a copy. */
export interface Native {
  readonly OpenSSL_version: (what: number) => string;
  readonly DTLSv1_2_server_method: () => Pointer;
  readonly DTLSv1_2_client_method: () => Pointer;
  readonly DTLSv1_listen: (ssl: Pointer, address: Pointer) => number;
  readonly SSL_CTX_new: (method: Pointer) => Pointer;
  readonly SSL_CTX_free: (context: Pointer) => void;
  readonly SSL_CTX_ctrl: (context: Pointer, command: number, number: number, pointer: Pointer) => number;
  readonly SSL_CTX_set_cipher_list: (context: Pointer, ciphers: string) => number;
  readonly SSL_CTX_set_options: (context: Pointer, options: number) => number;
  readonly SSL_CTX_set_cookie_verify_cb: (context: Pointer, callback: bigint) => void;
  readonly SSL_CTX_set_psk_server_callback: (context: Pointer, callback: Pointer) => void;
  readonly SSL_CTX_set_psk_client_callback: (context: Pointer, callback: Pointer) => void;
  readonly SSL_new: (context: Pointer) => Pointer;
  readonly SSL_free: (ssl: Pointer) => void;
  readonly SSL_set_bio: (ssl: Pointer, input: Pointer, output: Pointer) => void;
  readonly SSL_ctrl: (ssl: Pointer, command: number, number: number, pointer: Uint8Array | null) => number;
  readonly SSL_set_accept_state: (ssl: Pointer) => void;
  readonly SSL_set_connect_state: (ssl: Pointer) => void;
  readonly SSL_do_handshake: (ssl: Pointer) => number;
  readonly SSL_read: (ssl: Pointer, into: Uint8Array, room: number) => number;
  readonly SSL_write: (ssl: Pointer, bytes: Uint8Array, length: number) => number;
  readonly SSL_shutdown: (ssl: Pointer) => number;
  readonly SSL_get_shutdown: (ssl: Pointer) => number;
  readonly SSL_want: (ssl: Pointer) => number;
  readonly SSL_get_pending_cipher: (ssl: Pointer) => Pointer;
  readonly SSL_CIPHER_get_protocol_id: (cipher: Pointer) => number;
  readonly BIO_s_mem: () => Pointer;
  readonly BIO_new: (method: Pointer) => Pointer;
  readonly BIO_up_ref: (bio: Pointer) => number;
  readonly BIO_ctrl: (bio: Pointer, command: number, number: number, pointer: Pointer) => number;
  readonly BIO_read: (bio: Pointer, into: Uint8Array, room: number) => number;
  readonly BIO_write: (bio: Pointer, bytes: Uint8Array, length: number) => number;
  readonly BIO_ADDR_new: () => Pointer;
  /** Takes the oldest error out of the queue; 0 if there is none. */
  readonly ERR_get_error: () => number;
  readonly ERR_clear_error: () => void;
  /** The address of a function of OpenSSL's that may stand in for a cookie callback: it says 1 for every DTLS object. */
  readonly alwaysTrueForDtls: bigint;
  /** Makes a C function of a JavaScript one, for good. */
  readonly registerServerPsk: (callback: ServerPskCallback) => Pointer;
  readonly registerClientPsk: (callback: ClientPskCallback) => Pointer;
}

/** Opens a shared library, or with `null` the running binary. */
export function openLibrary(path: string | null): LibraryHandle {
  return koffi.load(path);
}

const arrays: Map<number, TypeObject> = new Map();

/** Writes `bytes` to an address in C memory. The types are kept, because koffi never frees one. */
export function poke(address: bigint, bytes: Uint8Array): void {
  let type = arrays.get(bytes.length);
  if (type === undefined) {
    type = koffi.array("uint8", bytes.length, "Typed");
    arrays.set(bytes.length, type);
  }
  koffi.encode(address, type, bytes);
}

const POINTER = "uintptr_t";
const BYTES = "void *";

/**
 * Finds the functions in a library.
 * @throws Error naming the first function that is missing
 */
export function bindNative(library: LibraryHandle): Native {
  const bind = <Name extends keyof Native>(name: Name, result: string, ...parameters: string[]): Native[Name] =>
    library.func(name, result, parameters) as unknown as Native[Name];
  return {
    OpenSSL_version: bind("OpenSSL_version", "str", "int"),
    DTLSv1_2_server_method: bind("DTLSv1_2_server_method", POINTER),
    DTLSv1_2_client_method: bind("DTLSv1_2_client_method", POINTER),
    DTLSv1_listen: bind("DTLSv1_listen", "int", POINTER, POINTER),
    SSL_CTX_new: bind("SSL_CTX_new", POINTER, POINTER),
    SSL_CTX_free: bind("SSL_CTX_free", "void", POINTER),
    SSL_CTX_ctrl: bind("SSL_CTX_ctrl", "long", POINTER, "int", "long", POINTER),
    SSL_CTX_set_cipher_list: bind("SSL_CTX_set_cipher_list", "int", POINTER, "str"),
    SSL_CTX_set_options: bind("SSL_CTX_set_options", "uint64", POINTER, "uint64"),
    SSL_CTX_set_cookie_verify_cb: bind("SSL_CTX_set_cookie_verify_cb", "void", POINTER, POINTER),
    SSL_CTX_set_psk_server_callback: bind("SSL_CTX_set_psk_server_callback", "void", POINTER, POINTER),
    SSL_CTX_set_psk_client_callback: bind("SSL_CTX_set_psk_client_callback", "void", POINTER, POINTER),
    SSL_new: bind("SSL_new", POINTER, POINTER),
    SSL_free: bind("SSL_free", "void", POINTER),
    SSL_set_bio: bind("SSL_set_bio", "void", POINTER, POINTER, POINTER),
    SSL_ctrl: bind("SSL_ctrl", "long", POINTER, "int", "long", BYTES),
    SSL_set_accept_state: bind("SSL_set_accept_state", "void", POINTER),
    SSL_set_connect_state: bind("SSL_set_connect_state", "void", POINTER),
    SSL_do_handshake: bind("SSL_do_handshake", "int", POINTER),
    SSL_read: bind("SSL_read", "int", POINTER, BYTES, "int"),
    SSL_write: bind("SSL_write", "int", POINTER, BYTES, "int"),
    SSL_shutdown: bind("SSL_shutdown", "int", POINTER),
    SSL_get_shutdown: bind("SSL_get_shutdown", "int", POINTER),
    SSL_want: bind("SSL_want", "int", POINTER),
    SSL_get_pending_cipher: bind("SSL_get_pending_cipher", POINTER, POINTER),
    SSL_CIPHER_get_protocol_id: bind("SSL_CIPHER_get_protocol_id", "uint16", POINTER),
    BIO_s_mem: bind("BIO_s_mem", POINTER),
    BIO_new: bind("BIO_new", POINTER, POINTER),
    BIO_up_ref: bind("BIO_up_ref", "int", POINTER),
    BIO_ctrl: bind("BIO_ctrl", "long", POINTER, "int", "long", POINTER),
    BIO_read: bind("BIO_read", "int", POINTER, BYTES, "int"),
    BIO_write: bind("BIO_write", "int", POINTER, BYTES, "int"),
    BIO_ADDR_new: bind("BIO_ADDR_new", POINTER),
    ERR_get_error: bind("ERR_get_error", "ulong"),
    ERR_clear_error: bind("ERR_clear_error", "void"),
    alwaysTrueForDtls: library.symbol("SSL_is_dtls") as bigint,
    registerServerPsk: (callback) =>
      koffi.register(callback, koffi.pointer(koffi.proto("uint", [POINTER, BYTES, BYTES, "uint"]))),
    registerClientPsk: (callback) =>
      koffi.register(callback, koffi.pointer(koffi.proto("uint", [POINTER, BYTES, BYTES, "uint", BYTES, "uint"]))),
  };
}
