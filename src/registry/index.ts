export type { Published, PublishedStore } from "./comparison-brake.ts";
export { type NotifySocket, openNotifySocket } from "./notify-socket.ts";
export { Observer, type ObserverOptions } from "./observer.ts";
export { type PrimaryOptions, PrimaryRegistry } from "./primary.ts";
export { Publication, type PublicationOptions } from "./publication.ts";
export { type Rfc2136Options, Rfc2136Registry } from "./rfc2136.ts";
export type { PrimaryMemory, PrimaryStore } from "./serial-keeper.ts";
export type { TransferStats } from "./transfers.ts";
