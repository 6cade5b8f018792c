export { ipv4Bytes, ipv6Bytes } from "./address.ts";
export { Chaskey } from "./chaskey.ts";
export * from "./constants.ts";
export type { Generation } from "./generation.ts";
export type { AddressTable, InstanceAddresses } from "./instance-addresses.ts";
export { nameToWire, relativeLength } from "./name.ts";
export { Query, type QueryKind } from "./query.ts";
export { NO_NAME, NON_TERMINAL, ZoneTable, type ZoneTableOptions } from "./zone-table.ts";
