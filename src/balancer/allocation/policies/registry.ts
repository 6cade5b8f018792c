import type { SpreadPolicy } from "../facts.ts";
import { even } from "./even.ts";
import { leastConnections } from "./least-connections.ts";
import { roundRobin } from "./round-robin.ts";
import { weighted } from "./weighted.ts";

/** The built-in policies by name. One more is one more file, named here. */
export const POLICIES: ReadonlyMap<string, SpreadPolicy> = new Map(
  [even, roundRobin, leastConnections, weighted].map((policy) => [policy.name, policy]),
);
