export { openStorage, type StorageOptions } from "./open.ts";
export { type ImportedDevice, nameSecretOf, parseDevice } from "./parse-device.ts";
export { type ImportFormat, type ImportRow, readDevices } from "./read-devices.ts";
export { createKeyFile, KEY_VARIABLE, loadSecretBox, SecretBox } from "./secret-box.ts";
export type * from "./types.ts";
