export { openStorage, type StorageOptions } from "./open.ts";
export { type ImportedDevice, type ImportFormat, type ImportRow, readDevices } from "./read-devices.ts";
export { createKeyFile, KEY_VARIABLE, loadSecretBox, SecretBox } from "./secret-box.ts";
export type * from "./types.ts";
