import type { SpreadPolicy } from "../facts.ts";

/** Every instance has as many names as any other, those of devices in progress included. */
export const even: SpreadPolicy = {
  name: "even",
  measure: (instances) => instances.map(({ index, override = 1, commenced }) => ({ index, weight: override, base: commenced })),
};
