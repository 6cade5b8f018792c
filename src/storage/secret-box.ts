import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from "node:crypto";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { InternalError } from "../lib/errors.ts";
import { StorageError } from "./errors.ts";

/** AES-256-GCM with the nonce and tag lengths of NIST SP 800-38D, 8.2. */
const CIPHER = "aes-256-gcm";
const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
/** First byte of every sealed value, so that another format can follow one day. */
const FORMAT = 1;

/** The environment variable that may hold the key. */
export const KEY_VARIABLE = "BERTH_KEY";

/**
 * Seals secrets for the database: format byte 1, nonce (12 bytes), ciphertext, tag (16 bytes). The context (whose
 * secret it is) is authenticated along with it, so a sealed value copied into another row does not open.
 */
export class SecretBox {
  readonly #key: Uint8Array;

  /** @param key 32 bytes */
  constructor(key: Uint8Array) {
    if (key.byteLength !== KEY_BYTES) throw new InternalError(`a SecretBox needs ${KEY_BYTES} bytes, got ${key.byteLength}`);
    this.#key = key.slice();
  }

  /**
   * A key for another purpose, that stays the same as long as the box's key does (HKDF with SHA-256, RFC 5869).
   * @param purpose gives each purpose a key of its own
   * @param length its bytes
   */
  derive(purpose: string, length: number): Uint8Array {
    return new Uint8Array(hkdfSync("sha256", this.#key, "", purpose, length));
  }

  /** @param context what the value belongs to, e.g. `device:urn:dev:os:1`; needed again to open it */
  seal(plain: Uint8Array, context: string): Uint8Array {
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv(CIPHER, this.#key, nonce, { authTagLength: TAG_BYTES }).setAAD(Buffer.from(context));
    return Buffer.concat([Uint8Array.of(FORMAT), nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
  }

  /** @throws StorageError `storage-sealed-damaged` if key, context or bytes are not those it was sealed with */
  open(sealed: Uint8Array, context: string): Uint8Array {
    const body = 1 + NONCE_BYTES;
    if (sealed[0] !== FORMAT || sealed.byteLength < body + TAG_BYTES) throw damaged(context);
    const tag = sealed.subarray(sealed.byteLength - TAG_BYTES);
    const decipher = createDecipheriv(CIPHER, this.#key, sealed.subarray(1, body), { authTagLength: TAG_BYTES })
      .setAAD(Buffer.from(context))
      .setAuthTag(tag);
    try {
      return Buffer.concat([decipher.update(sealed.subarray(body, sealed.byteLength - TAG_BYTES)), decipher.final()]);
    } catch (cause) {
      throw damaged(context, cause);
    }
  }
}

function damaged(context: string, cause?: unknown): StorageError {
  return new StorageError(
    "storage-sealed-damaged",
    `the sealed value of ${context} does not open: damaged, or moved here from elsewhere`,
    { cause },
  );
}

/** Where the key is looked for. */
export interface KeySource {
  /** Path of the key file, used when the environment has none. */
  readonly file?: string;
  /** Where {@link KEY_VARIABLE} may hold the key itself; the process's environment if not given. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
}

/**
 * The box with the key of the environment or, failing that, of the file: 32 bytes as 64 hex digits or 44 base64 characters.
 * @throws StorageError `storage-key-missing`, `storage-key-invalid`, or `storage-key-permissions` for a file that others can read
 */
export function loadSecretBox(source: KeySource): SecretBox {
  const text = (source.environment ?? process.env)[KEY_VARIABLE];
  if (text !== undefined && text !== "") return new SecretBox(parseKey(text, KEY_VARIABLE));
  if (source.file === undefined)
    throw missing(`no key for the secrets in the database, neither in ${KEY_VARIABLE} nor in a file`, "berth.key");
  return new SecretBox(parseKey(readKeyFile(source.file), source.file));
}

/**
 * Makes a new random key file that only its owner can read (mode 0600). For the demo; elsewhere a person makes the key
 * and keeps a copy of it.
 * @throws StorageError `storage-key-invalid` if there is a file already: a key is never overwritten
 */
export function createKeyFile(path: string): void {
  try {
    writeFileSync(path, `${randomBytes(KEY_BYTES).toString("hex")}\n`, { mode: 0o600, flag: "wx" });
  } catch (cause) {
    throw new StorageError("storage-key-invalid", `${path}: cannot make the key file (${codeOf(cause)})`, { cause });
  }
}

function readKeyFile(path: string): string {
  try {
    // Windows has no such mode bits; access is by the folder there.
    if (process.platform !== "win32" && (statSync(path).mode & 0o077) !== 0) {
      throw new StorageError("storage-key-permissions", `${path}: others can read this key; run: chmod 600 ${path}`);
    }
    return readFileSync(path, "utf8");
  } catch (cause) {
    if (cause instanceof StorageError) throw cause;
    if (codeOf(cause) === "ENOENT") throw missing(`${path}: there is no such key file`, path);
    throw new StorageError("storage-key-invalid", `${path}: cannot read the key file (${codeOf(cause)})`, { cause });
  }
}

function missing(problem: string, path: string): StorageError {
  return new StorageError(
    "storage-key-missing",
    `${problem}; make one with: openssl rand -hex ${KEY_BYTES} > ${path} && chmod 600 ${path}`,
  );
}

function parseKey(text: string, where: string): Uint8Array {
  const trimmed = text.trim();
  if (/^[0-9a-fA-F]{64}$/.test(trimmed)) return Buffer.from(trimmed, "hex");
  if (/^[A-Za-z0-9+/]{43}=$/.test(trimmed)) return Buffer.from(trimmed, "base64");
  throw new StorageError(
    "storage-key-invalid",
    `${where}: the key must be ${KEY_BYTES} bytes, as 64 hex digits or 44 base64 characters`,
  );
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? "unknown";
}
