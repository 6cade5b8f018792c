import type { SecretBox } from "./secret-box.ts";
import type { Secrets } from "./types.ts";

/** Secrets as they are sealed: JSON, short keys, bytes in base64. */
interface Sealed {
  readonly psk?: string;
  readonly secret?: string;
  readonly attributes?: Readonly<Record<string, string>>;
}

/** The secrets of `endpoint`, sealed, in base64. */
export function sealSecrets(box: SecretBox, endpoint: string, { psk, secret, attributes }: Secrets): string {
  const value: Sealed = {
    ...(psk === undefined ? {} : { psk: toBase64(psk) }),
    ...(secret === undefined ? {} : { secret: toBase64(secret) }),
    ...(Object.keys(attributes).length === 0 ? {} : { attributes }),
  };
  return toBase64(box.seal(Buffer.from(JSON.stringify(value)), contextOf(endpoint)));
}

/** @throws StorageError `storage-sealed-damaged` if they were sealed for another endpoint or with another key */
export function openSecrets(box: SecretBox, endpoint: string, sealed: string): Secrets {
  const opened = Buffer.from(box.open(Buffer.from(sealed, "base64"), contextOf(endpoint))).toString();
  const { psk, secret, attributes = {} } = JSON.parse(opened) as Sealed;
  return {
    ...(psk === undefined ? {} : { psk: fromBase64(psk) }),
    ...(secret === undefined ? {} : { secret: fromBase64(secret) }),
    attributes,
  };
}

function contextOf(endpoint: string): string {
  return `device:${endpoint}`;
}

/** As SQL decodes it: base64 without line breaks. */
export function toBase64(value: Uint8Array): string {
  return Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString("base64");
}

export function fromBase64(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, "base64"));
}
