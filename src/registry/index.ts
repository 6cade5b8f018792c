export type { Published, PublishedStore } from "./comparison-brake.ts";
export { Observer, type ObserverOptions } from "./observer.ts";
export { Publication, type PublicationOptions } from "./publication.ts";
