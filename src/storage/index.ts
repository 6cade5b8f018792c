export { StorageError, type StorageErrorCode } from "./errors.ts";
export { openStorage, type StorageOptions } from "./open.ts";
export { createKeyFile, KEY_VARIABLE, type KeySource, loadSecretBox, SecretBox } from "./secret-box.ts";
export type * from "./types.ts";
