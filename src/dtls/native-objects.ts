import { InternalError, InvalidInput } from "../lib/errors.ts";
import { CERTIFICATE, derOf, type EncodedKind, PRIVATE_KEY, PUBLIC_KEY, REVOCATION_LIST } from "./encoded.ts";
import { isNull, type Native, type Pointer } from "./native.ts";
import type { NativeCertificates } from "./native-certificates.ts";
import type { Encoded } from "./types.ts";

const BIO_CTRL_RESET = 1;
/** A certificate, and even a chain, is much shorter. */
const LONGEST_DER = 65_536;

type ObjectKind = "certificate" | "revocationList" | "privateKey" | "publicKey";

/** Reads DER and PEM into OpenSSL's objects, and writes these as DER. */
export class NativeObjects {
  readonly #native: Native;
  readonly #certificates: NativeCertificates;
  readonly #scratch: Pointer;
  readonly #bytes: Buffer = Buffer.alloc(LONGEST_DER);

  /** @param scratch an empty memory BIO for its own use */
  constructor(native: Native, certificates: NativeCertificates, scratch: Pointer) {
    this.#native = native;
    this.#certificates = certificates;
    this.#scratch = scratch;
  }

  /**
   * Runs `action` with the objects in `encoded`, at least one, and frees them afterwards.
   * @param what the option's name, for errors
   * @throws InvalidInput if it cannot be read
   */
  use<Result>(kind: ObjectKind, encoded: Encoded, what: string, action: (objects: readonly Pointer[]) => Result): Result {
    const { pem, free } = this.#kind(kind);
    const objects = this.#read(kind, derOf(encoded, pem, what), what);
    try {
      return action(objects);
    } finally {
      for (const object of objects) free(object);
    }
  }

  certificateDer(certificate: Pointer): Uint8Array {
    return this.#write((bio) => this.#certificates.i2d_X509_bio(bio, certificate));
  }

  /** The SubjectPublicKeyInfo. */
  publicKeyDer(key: Pointer): Uint8Array {
    return this.#write((bio) => this.#certificates.i2d_PUBKEY_bio(bio, key));
  }

  #kind(kind: ObjectKind): {
    pem: EncodedKind;
    read: (bio: Pointer, reuse: Pointer) => Pointer;
    free: (object: Pointer) => void;
  } {
    const { d2i_X509_bio, d2i_X509_CRL_bio, d2i_PrivateKey_bio, d2i_PUBKEY_bio, ...native } = this.#certificates;
    if (kind === "certificate") return { pem: CERTIFICATE, read: d2i_X509_bio, free: native.X509_free };
    if (kind === "revocationList") return { pem: REVOCATION_LIST, read: d2i_X509_CRL_bio, free: native.X509_CRL_free };
    if (kind === "privateKey") return { pem: PRIVATE_KEY, read: d2i_PrivateKey_bio, free: native.EVP_PKEY_free };
    return { pem: PUBLIC_KEY, read: d2i_PUBKEY_bio, free: native.EVP_PKEY_free };
  }

  #read(kind: ObjectKind, der: Uint8Array, what: string): Pointer[] {
    const { pem, read, free } = this.#kind(kind);
    const objects: Pointer[] = [];
    this.#native.BIO_write(this.#scratch, der, der.length);
    let whole = der.length > 0;
    while (whole && this.#certificates.BIO_ctrl_pending(this.#scratch) > 0) {
      const object = read(this.#scratch, 0);
      whole = !isNull(object);
      if (whole) objects.push(object);
    }
    this.#native.BIO_ctrl(this.#scratch, BIO_CTRL_RESET, 0, 0);
    this.#native.ERR_clear_error();
    if (whole) return objects;
    for (const object of objects) free(object);
    throw new InvalidInput(`${what}: OpenSSL cannot read ${objects.length === 0 ? "the" : "another"} ${pem.name} in it`);
  }

  #write(write: (bio: Pointer) => number): Uint8Array {
    write(this.#scratch);
    const length = this.#native.BIO_read(this.#scratch, this.#bytes, this.#bytes.length);
    this.#native.BIO_ctrl(this.#scratch, BIO_CTRL_RESET, 0, 0);
    if (length <= 0) throw new InternalError("OpenSSL did not write an object it holds");
    return Uint8Array.from(this.#bytes.subarray(0, length));
  }
}
