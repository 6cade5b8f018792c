import type { SecretBox } from "./secret-box.ts";
import type { Credentials } from "./types.ts";

/** Credentials as they are sealed: JSON, short keys, bytes in base64. */
interface Sealed {
  readonly psk?: string;
  readonly publicKey?: string;
  readonly secret?: string;
  readonly attributes?: Readonly<Record<string, string>>;
}

/** The credentials of `endpoint`, sealed, in base64. */
export function sealCredentials(box: SecretBox, endpoint: string, { psk, publicKey, secret, attributes }: Credentials): string {
  const value: Sealed = {
    ...(psk === undefined ? {} : { psk: base64(psk) }),
    ...(publicKey === undefined ? {} : { publicKey: base64(publicKey) }),
    ...(secret === undefined ? {} : { secret: base64(secret) }),
    ...(Object.keys(attributes).length === 0 ? {} : { attributes }),
  };
  return base64(box.seal(Buffer.from(JSON.stringify(value)), contextOf(endpoint)));
}

/** @throws StorageError `storage-sealed-damaged` if they were sealed for another endpoint or with another key */
export function openCredentials(box: SecretBox, endpoint: string, sealed: string): Credentials {
  const opened = Buffer.from(box.open(Buffer.from(sealed, "base64"), contextOf(endpoint))).toString();
  const { psk, publicKey, secret, attributes = {} } = JSON.parse(opened) as Sealed;
  return {
    ...(psk === undefined ? {} : { psk: bytes(psk) }),
    ...(publicKey === undefined ? {} : { publicKey: bytes(publicKey) }),
    ...(secret === undefined ? {} : { secret: bytes(secret) }),
    attributes,
  };
}

function contextOf(endpoint: string): string {
  return `device:${endpoint}`;
}

function base64(value: Uint8Array): string {
  return Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString("base64");
}

function bytes(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, "base64"));
}
