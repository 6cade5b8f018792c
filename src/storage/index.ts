export { StorageError, type StorageErrorCode } from "./errors.ts";
export { type ImportProblem, type ImportProgress, type ImportSink, importDevices } from "./import.ts";
export { openStorage, type StorageOptions } from "./open.ts";
export { DEFAULT_PROFILE, type ImportFormat, type ImportRow, readDevices } from "./read-devices.ts";
export { createKeyFile, KEY_VARIABLE, type KeySource, loadSecretBox, SecretBox } from "./secret-box.ts";
export type * from "./types.ts";
